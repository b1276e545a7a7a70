/** The pages of incidents follow what happens. */
import { keepFresh } from "./fresh.js";

keepFresh();

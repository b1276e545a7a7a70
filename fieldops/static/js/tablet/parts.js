/** The parts of the page that other modules bring; one that fails takes nothing else with it. */

/** @type {Map<string, unknown>} */
const failures = new Map();

/** What could not be loaded, and why. */
export const failedParts = () => failures;

/**
 * @param {string} name
 * @param {Promise<any>} loading
 * @returns {Promise<any>} the module, or null
 */
async function part(name, loading) {
  try {
    return await loading;
  } catch (error) {
    console.warn(`${name} could not be loaded`, error);
    failures.set(name, error);
    return null;
  }
}

/**
 * The modules of the day, the outbox and the pack, of which each may be missing.
 * @param {string} name
 * @returns {Promise<any>}
 */
export const load = (name) => part(name, import(`./${name}.js`));

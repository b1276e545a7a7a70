/**
 * What can be done from the drawer.
 * @typedef {object} Thing
 * @property {"incident" | "order" | "outage" | "crew"} kind
 * @property {string} id
 */

/** @typedef {import("./board.js").Order} Order */
/** @typedef {import("./board.js").Incident} Incident */
/** @typedef {import("./outage_view.js").Detail} Detail */
/** @typedef {import("./outage_view.js").PlanValve} PlanValve */

/**
 * @typedef {object} Hands
 * @property {(thing: Thing) => void} open
 * @property {(place: {lon: number | null, lat: number | null}) => void} show
 * @property {(order: Order, crew: string, how?: {reason?: string}) => Promise<void>} assign
 * @property {(order: Order, candidate: import("./order_view.js").Candidate) => Promise<void>} assignAgainst
 * @property {(offer: import("./board.js").Offer, answer: string) => Promise<void>} recordPhone
 * @property {(order: Order, reason?: string) => Promise<void>} hold
 * @property {(order: Order) => Promise<void>} resume
 * @property {(order: string) => void} askWhy
 * @property {(fact: import("./board.js").LateFact) => Promise<void>} readLateFact
 * @property {(incident: Incident) => void} openOutageOf
 * @property {(incident: Incident) => Promise<void>} closeIncident
 * @property {(outage: string) => void} askOutageAgain
 * @property {(outage: Detail, valve: PlanValve, result: string) => Promise<void>} confirmValve
 * @property {(outage: Detail) => Promise<void>} approvePlan
 * @property {(outage: Detail, valve: PlanValve, result: string) => Promise<void>} reopenValve
 * @property {(outage: Detail, part: import("./outage_view.js").Part) => Promise<void>} restorePart
 * @property {(outage: Detail) => Promise<void>} recordRepair
 * @property {(outage: Detail) => Promise<void>} endOutage
 * @property {(valve: string) => void} showValve
 * @property {(customer: string) => string} criticalName
 */

export {};

/** Whether a legacy server is worth asking: what requests met there and what its health check found, in one place. */
export type Condition = {
  /** True while nobody should be made to wait for it. */
  refuses(): boolean;
  /** The same for those who only look: it lets nobody find out whether the server is back. */
  well(): boolean;
  answered(): void;
  /** It could not be reached, or said nothing in time. */
  failed(): void;
  /** What a health check found. */
  checked(well: boolean): void;
};

const FAILURES_TO_OPEN = 5;
const OPEN_MS = 5_000;
// One lost answer proves nothing, and a whole service hangs on it.
const CHECKS_TO_CLOSE = 2;

/**
 * After several failures in a row nobody is made to wait for the next; one request every few seconds finds out whether it is back.
 * Where there is a health check, nobody need find that out: once that says no, only its yes counts.
 * @param worsened called whenever the answer has become no, for those who wait already
 */
export function createCondition(now: () => number, worsened: () => void): Condition {
  let failures = 0;
  let openUntil = 0;
  let failedChecks = 0;
  const well = () => failedChecks < CHECKS_TO_CLOSE && failures < FAILURES_TO_OPEN;
  /** Those who wait are told once. */
  function heard(news: () => void): void {
    const before = well();
    news();
    if (before && !well()) worsened();
  }
  return {
    refuses() {
      if (failedChecks >= CHECKS_TO_CLOSE) return true;
      if (failures < FAILURES_TO_OPEN) return false;
      if (now() < openUntil) return true;
      openUntil = now() + OPEN_MS;
      return false;
    },
    well,
    answered() {
      failures = 0;
    },
    failed() {
      heard(() => {
        failures += 1;
        if (failures >= FAILURES_TO_OPEN) openUntil = now() + OPEN_MS;
      });
    },
    checked(good) {
      heard(() => {
        // A check that was well all the time says nothing about requests that fail.
        if (good && failedChecks >= CHECKS_TO_CLOSE) failures = 0;
        failedChecks = good ? 0 : failedChecks + 1;
      });
    },
  };
}

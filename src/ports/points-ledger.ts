/** What a caller's part of its budget comes to. */
export interface DrawnPoints {
  /** 0 when less than the least is left. */
  points: number;
  /** What is still to be had by others, before the minute is over. */
  left: number;
  /** Until all of the budget is there again. */
  endsInMs: number;
}

/** What callers have used up of their budgets of a minute, counted for all processes together where they share a server. */
export interface PointsLedger {
  /**
   * Takes a part of a caller's budget, for this process to hand out by itself. It never fails and never gives more
   * than the budget: where the server is away, this process counts for itself alone.
   * @param request.least whole points that are needed now
   * @param request.most whole points that may be taken; a nearly empty budget is given in smaller parts
   * @param request.budget whole points of a minute, which begins at the first draw
   */
  draw(caller: string, request: { least: number; most: number; budget: number }): Promise<DrawnPoints>;

  close(): Promise<void>;
}

/** What a node answers of one user. */
interface Seen {
  readonly online: boolean;
  readonly last_seen?: number;
}

/** Asks a node for users by `last_seen` of the server API. */
export type AskSeen = (users: readonly string[]) => Promise<Readonly<Record<string, Seen>>>;

/** Milliseconds since 1970, between which users were last there. */
export interface Span {
  readonly sinceMs: number;
  readonly untilMs: number;
}

export interface SeenVerdict {
  /** What was wrong, in a line; empty: nothing. */
  readonly wrong: readonly string[];
  /** From the earliest moment that was told to the end of the span. */
  readonly earliestMs: number;
}

/** Whether all nodes tell the same moment of each user, and that within the span (PRE-2). */
export async function judgeLastSeen(
  nodes: readonly AskSeen[],
  users: readonly string[],
  { sinceMs, untilMs }: Span,
): Promise<SeenVerdict> {
  const answers = await Promise.all(nodes.map((ask) => ask(users)));
  const wrong: string[] = [];
  let earliest = untilMs;
  for (const user of users) {
    const told = answers.map((answer) => answer[user]);
    const moments = new Set(told.map((seen) => seen?.last_seen));
    const [moment] = moments;
    if (told.some((seen) => seen?.online !== false)) wrong.push(`${user} is online`);
    else if (moments.size > 1) wrong.push(`${user} was last seen at ${[...moments].join(' and ')}`);
    else if (moment === undefined) wrong.push(`${user} was never seen`);
    else if (moment < sinceMs || moment > untilMs)
      wrong.push(`${user} was last seen ${untilMs - moment} ms before the end`);
    else earliest = Math.min(earliest, moment);
  }
  const [first] = wrong;
  const summary = first === undefined ? [] : [`${wrong.length} of ${users.length} users, such as: ${first}`];
  return { wrong: summary, earliestMs: untilMs - earliest };
}

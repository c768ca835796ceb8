import type { Crew } from '../../strategies/job.ts';
import type { RunState } from './run-state.ts';
import type { Seat } from './seat.ts';

/** What becomes known of a run with workers that come and go: how many there were, and from which step on. */
export class CrewLog {
  readonly #state: RunState;
  readonly #servers: number;
  readonly #crews: Crew[] = [];
  #began: number | undefined;
  /** Starts of workers that were in the last group: a place and how often it was filled. */
  #known = new Set<string>();
  /** Since the last group. */
  left = 0;
  lost = 0;

  constructor(state: RunState, servers: number) {
    this.#state = state;
    this.#servers = servers;
  }

  get crews(): readonly Crew[] {
    return this.#crews;
  }

  /** A group is about to work. */
  add(seats: readonly Seat[]): void {
    const now = performance.now();
    this.#began ??= now;
    const known = new Set(seats.map(({ rank, attempt }) => `${rank} ${attempt}`));
    const joined = [...known].filter((each) => !this.#known.has(each)).length;
    this.#known = known;
    const { left, lost } = this;
    if (joined + left + lost === 0) return;
    this.left = 0;
    this.lost = 0;
    const workers = seats.length - this.#servers;
    const { generation, known: state } = this.#state;
    const crew = { generation: generation + 1, workers, joined, left, lost, steps: state.count, atMs: now - this.#began };
    this.#crews.push(crew);
    this.#state.note(crewText(crew, this.#crews.length === 1));
  }
}

function crewText({ workers, joined, left, lost, steps }: Crew, isFirst: boolean): string {
  const many = workers === 1 ? 'one worker' : `${workers} workers`;
  if (isFirst) return `the run begins with ${many}`;
  const said = [joined > 0 ? `${joined} joined` : '', left > 0 ? `${left} left` : '', lost > 0 ? `${lost} lost` : ''];
  return `${many} from step ${steps} on: ${said.filter((text) => text !== '').join(', ')}`;
}

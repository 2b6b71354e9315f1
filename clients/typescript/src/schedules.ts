/** Schedules: events and workflows that run by themselves, kept by Temporal. */

import {
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  type ScheduleOptions,
} from "@temporalio/client";
import type { Temporal } from "./connection.js";
import { PayloadValidationError, ScheduleForeign, ScheduleNotFound, ScheduleSpent } from "./errors.js";
import type { ScheduleSpec } from "./generated/types.js";
import * as validators from "./generated/validators.js";
import { actionOf, memoOf, policiesOf, timesOf } from "./schedule-form.js";
import { check } from "./validation.js";

/** A schedule as Temporal has it. */
export interface ScheduleState {
  id: string;
  paused: boolean;
  /** Why it is paused or resumed, for people. */
  note: string;
  /** Runs that are left; unset when there is no limit. */
  runsLeft: number | undefined;
  nextRuns: Date[];
}

/** The schedules of one namespace; those of `cronium schedule` and `apply` are the same. */
export class Schedules {
  constructor(
    private readonly temporal: Temporal,
    private readonly taskQueue: string,
  ) {}

  /**
   * Makes a schedule, or changes it; runs that were made stay counted.
   *
   * @throws {PayloadValidationError} a field does not fit, or is for `cronium apply` alone.
   * @throws {ScheduleForeign} there is one of this id that Cronium has not made.
   */
  async apply(spec: ScheduleSpec): Promise<void> {
    check(validators.ScheduleSpec, spec);
    refuseEmpty(spec);
    const form = {
      action: actionOf(spec, this.taskQueue),
      spec: timesOf(spec),
      policies: policiesOf(spec),
    };
    const state = {
      paused: spec.paused ?? false,
      ...(spec.paused ? { note: "paused by its file" } : {}),
      ...(spec.maxRuns ? { remainingActions: spec.maxRuns } : {}),
    };
    const made: ScheduleOptions = {
      ...form,
      state,
      scheduleId: spec.id,
      memo: { cronium: { project: "" } },
    };
    await this.temporal.call(async (client) => {
      try {
        await client.schedule.create(made);
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
        await this.#own(spec.id);
        await this.#handle(spec.id).update((before) => ({ ...form, state: carried(spec, before) }));
      }
    });
  }

  /** Where a schedule stands. */
  async status(id: string): Promise<ScheduleState> {
    const { state, info } = await this.#own(id);
    return {
      id,
      paused: state.paused,
      note: state.note ?? "",
      runsLeft: state.remainingActions,
      nextRuns: info.nextActionTimes,
    };
  }

  /** Starts no more runs until it is resumed. */
  async pause(id: string, note: string): Promise<void> {
    await this.#with(id, (handle) => handle.pause(note));
  }

  /**
   * Starts runs again.
   *
   * @throws {ScheduleSpent} all runs of `maxRuns` are done.
   */
  async resume(id: string, note: string): Promise<void> {
    const { runsLeft } = await this.status(id);
    if (runsLeft === 0) throw new ScheduleSpent(`all runs of schedule ${id} are done`);
    await this.#with(id, (handle) => handle.unpause(note));
  }

  /** Runs it now, paused or not. */
  async trigger(id: string): Promise<void> {
    await this.#with(id, (handle) => handle.trigger());
  }

  /** Deletes a schedule; executions that run go on. */
  async delete(id: string): Promise<void> {
    await this.#with(id, (handle) => handle.delete());
  }

  #handle(id: string): ScheduleHandle {
    return this.temporal.client.schedule.getHandle(id);
  }

  async #with(id: string, work: (handle: ScheduleHandle) => Promise<unknown>): Promise<void> {
    await this.#own(id);
    await this.temporal.call(() => work(this.#handle(id)));
  }

  /** A schedule that Cronium has made. */
  async #own(id: string): Promise<ScheduleDescription> {
    const described = await this.temporal.call(async () => {
      try {
        return await this.#handle(id).describe();
      } catch (error) {
        if (error instanceof ScheduleNotFoundError)
          throw new ScheduleNotFound(`there is no schedule ${id}`);
        throw error;
      }
    });
    if (described.memo?.["cronium"]) return described;
    throw new ScheduleForeign(`schedule ${id} was not made by Cronium`);
  }
}

function refuseEmpty(spec: ScheduleSpec): void {
  const refuse = (message: string) => {
    throw new PayloadValidationError([{ path: "", message }]);
  };
  if ((spec.everySeconds == null) === !spec.cron?.length)
    refuse("give either `everySeconds` or `cron`");
  if ((spec.event == null) === (spec.workflow == null))
    refuse("give either `event` or `workflow`: what is to run");
}

/** The state after an edit: runs that are done stay counted, and a pause stays one. */
function carried(spec: ScheduleSpec, before: ScheduleDescription) {
  const { paused, note, remainingActions } = before.state;
  const earlier = memoOf(before)?.maxRuns;
  const done = earlier && remainingActions !== undefined ? earlier - remainingActions : 0;
  return {
    paused: spec.paused ?? paused,
    ...(note ? { note } : {}),
    ...(spec.maxRuns ? { remainingActions: Math.max(0, spec.maxRuns - done) } : {}),
  };
}

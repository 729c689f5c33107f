/**
 * Asking again since something has happened, which often happens many times at once.
 *
 * - S1 All that happens within a pause is asked about once.
 * - S2 What is being asked is not given up for the same question: it is asked once more when the answer has come. However often something happens,
 *   and however slow answers are, they are seen.
 */

export interface Soon {
  /** Something has happened. */
  ask(): void
  stop(): void
}

/** `question` does not throw. */
export function createSoon(question: () => Promise<void>, pauseMs: number): Soon {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isAsking = false
  let isBehind = false
  let isStopped = false

  async function run(): Promise<void> {
    timer = undefined
    isAsking = true
    await question()
    isAsking = false
    if (!isBehind) return
    isBehind = false
    ask()
  }

  function ask(): void {
    if (isAsking) isBehind = true
    else if (!isStopped) timer ??= setTimeout(() => void run(), pauseMs)
  }

  return {
    ask,
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

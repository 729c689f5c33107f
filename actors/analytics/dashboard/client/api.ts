/**
 * Requests to the API with the reader's key.
 *
 * Owns errors in words: an answer that is not 2xx becomes an `ApiError` with the problem's own detail.
 */

export class ApiError extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
  }
}

export type Parameters = Record<string, string | number | null | undefined>

export interface Api {
  /** The JSON that `path` answers. Throws `ApiError`; an abort by `signal` is thrown as it is. */
  get<T>(path: string, parameters?: Parameters, signal?: AbortSignal): Promise<T>
  /** An open answer, for streams. Throws like `get`. */
  open(path: string, parameters: Parameters, headers: Record<string, string>, signal: AbortSignal): Promise<Response>
}

export function createApi(key: () => string | null): Api {
  async function open(path: string, parameters: Parameters, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    const query = new URLSearchParams({ time: 'ms' })
    for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined) query.set(name, String(value))
    let response: Response
    try {
      response = await fetch(`${path}?${query}`, { headers: { ...headers, Authorization: `Bearer ${key() ?? ''}` }, signal, cache: 'no-store' })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new ApiError(0, 'Weir does not answer')
    }
    if (!response.ok) throw new ApiError(response.status, await problemText(response))
    return response
  }

  return {
    open,
    get: async <T>(path: string, parameters: Parameters = {}, signal?: AbortSignal) => {
      const response = await open(path, parameters, { Accept: 'application/json' }, signal)
      return (await response.json()) as T
    },
  }
}

async function problemText(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { title?: string; detail?: string }
    return problem.detail ?? problem.title ?? `HTTP ${response.status}`
  } catch {
    return `HTTP ${response.status}`
  }
}

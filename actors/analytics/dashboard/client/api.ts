/**
 * Requests to the API with the reader's key.
 *
 * Owns errors in words: an answer that is not 2xx becomes an `ApiError` with the problem's own detail. A key that is refused is told to
 * `onRefused` as well, whichever part of the page asked with it.
 */

export class ApiError extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number
  /** Members of the problem beside its detail: `pointer`, `parameter`, `position` and the like. */
  readonly problem: Readonly<Record<string, unknown>>

  constructor(status: number, message: string, problem: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.problem = problem
  }
}

export type Parameters = Record<string, string | number | null | undefined>

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

export interface Api {
  /** The JSON that `path` answers, times in epoch ms. Throws `ApiError`; an abort by `signal` is thrown as it is. */
  get<T>(path: string, parameters?: Parameters, signal?: AbortSignal): Promise<T>
  /** An open answer, for streams. Throws like `get`. */
  open(path: string, parameters: Parameters, headers: Record<string, string>, signal: AbortSignal): Promise<Response>
  /** An answer to any request. A body is sent as JSON. Throws like `get`. */
  send(path: string, request: Request): Promise<Response>
}

export function createApi(key: () => string | null, onRefused: (error: ApiError) => void): Api {
  async function send(path: string, { method, headers, body, signal }: Request): Promise<Response> {
    let response: Response
    try {
      const sent = new Headers({ ...headers, Authorization: `Bearer ${key() ?? ''}` })
      if (body !== undefined) sent.set('Content-Type', 'application/json')
      response = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: 'no-store' })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new ApiError(0, 'Weir does not answer')
    }
    if (response.ok) return response
    const error = await errorOf(response)
    // What an analyst may not do is no reason to send it away.
    if (response.status === 401 || (response.status === 403 && method === 'GET')) onRefused(error)
    throw error
  }

  const withQuery = (path: string, parameters: Parameters) => {
    const query = new URLSearchParams({ time: 'ms' })
    for (const [name, value] of Object.entries(parameters)) if (value !== null && value !== undefined) query.set(name, String(value))
    return `${path}?${query}`
  }

  return {
    send,
    open: (path, parameters, headers, signal) => send(withQuery(path, parameters), { method: 'GET', headers, signal }),
    get: async <T>(path: string, parameters: Parameters = {}, signal?: AbortSignal) => {
      const response = await send(withQuery(path, parameters), { method: 'GET', headers: { Accept: 'application/json' }, signal })
      return (await response.json()) as T
    },
  }
}

/** Whether somebody with another key would have been answered. */
export function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.status === 401 || error.status === 403)
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as { title?: string; detail?: string }
    return new ApiError(response.status, problem.detail ?? problem.title ?? `HTTP ${response.status}`, { ...problem })
  } catch {
    return new ApiError(response.status, `HTTP ${response.status}`)
  }
}

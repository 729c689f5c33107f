/**
 * How an analyst names an anomaly: by what the API and the lake show of it, since a row of them has no number.
 *
 *     tenant/device/metric@time          default/field-7/probe-2/soil_moisture@2026-11-23T06:10:00Z
 *     tenant/device/metric@time=value    where one instant has several
 *
 * A device may hold slashes; tenants and metrics hold none. Times are RFC 3339 or epoch milliseconds.
 */

import { OperatingError } from '../../runtime/errors.ts'
import { formatTime, parseTime } from '../analytics/data/times.ts'
import { isDevice, isMetric } from '../reading/validate-names.ts'

export interface AnomalyAddress {
  readonly tenant: string
  readonly device: string
  readonly metric: string
  /** Epoch ms. */
  readonly ts: number
  /** Null: whichever there is. */
  readonly value: number | null
}

export const ADDRESS_FORM = 'tenant/device/metric@time, and =value behind it where one instant has several'

/** Throws `config` on anything else. */
export function parseAddress(text: string): AnomalyAddress {
  const wrong = (must: string) => new OperatingError('config', `Cannot explain ${JSON.stringify(text)} as ${must}. An anomaly is named ${ADDRESS_FORM}`)
  const at = text.lastIndexOf('@')
  if (at < 0) throw wrong('it must name an anomaly, or be the id of an alert as /v1/alerts gives it')
  const [series, when] = [text.slice(0, at), text.slice(at + 1)]
  const first = series.indexOf('/')
  const last = series.lastIndexOf('/')
  if (first <= 0 || last === first) throw wrong('its series must be tenant, device and metric')
  const [tenant, device, metric] = [series.slice(0, first), series.slice(first + 1, last), series.slice(last + 1)]
  if (!isDevice(device)) throw wrong('its device must be one')
  if (!isMetric(metric)) throw wrong('its metric must be one')
  const equals = when.indexOf('=')
  const time = equals < 0 ? when : when.slice(0, equals)
  // Nothing is named by how long ago it was: that changes while one reads it.
  const ts = /^[-+ ]|now/.test(time) ? null : parseTime(time, 0)
  if (ts === null) throw wrong('its time must be RFC 3339 or epoch milliseconds')
  const valueText = equals < 0 ? '' : when.slice(equals + 1).trim()
  const value = equals < 0 ? null : valueText === '' ? NaN : Number(valueText)
  if (value !== null && !Number.isFinite(value)) throw wrong('its value must be a number')
  return { tenant, device, metric, ts, value }
}

export function formatAddress(address: AnomalyAddress): string {
  const { tenant, device, metric, ts, value } = address
  return `${tenant}/${device}/${metric}@${formatTime(ts)}${value === null ? '' : `=${value}`}`
}

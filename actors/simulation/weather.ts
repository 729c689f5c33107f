/**
 * Real weather as readings: the hourly normals and the daily observations of Seattle (NOAA), as the npm package vega-datasets
 * brings them. Owns their columns and the names of their devices; leaves the files and the pace to the command.
 */

import type { Reading } from '../reading/input.ts'

/** What the names of its devices begin with. */
export const WEATHER_PREFIX = 'seattle/'

/** 8,759 hours of normals: pressure in hPa, temperature in °C, wind in m/s, as of a year 2010. */
export const NORMALS = { file: 'seattle-weather-hourly-normals.csv', device: 'seattle/normals', metrics: ['pressure', 'temperature', 'wind'] } as const
/** 1,461 days from 2012 to 2015: precipitation in mm, temperatures in °C, wind in m/s. */
export const DAILY = { file: 'seattle-weather.csv', device: 'seattle/daily', metrics: ['precipitation', 'temp_max', 'temp_min', 'wind'] } as const

export interface Dataset {
  readonly device: string
  readonly metrics: readonly string[]
}

/**
 * The readings of a CSV whose first column is `date`, in the order of the file; times without a zone count as UTC. Cells that hold
 * no number are left out. Throws `RangeError` where a column is missing.
 */
export function readingsOf(csv: string, { device, metrics }: Dataset): Reading[] {
  const [head, ...rows] = csv.split(/\r?\n/).filter((line) => line !== '')
  const columns = (head ?? '').split(',')
  const places = metrics.map((metric) => {
    const place = columns.indexOf(metric)
    if (place < 0 || columns[0] !== 'date') throw new RangeError(`Cannot read ${device} as its columns must be date and ${metrics.join(', ')}: current columns are ${head}`)
    return place
  })
  const readings: Reading[] = []
  for (const row of rows) {
    const cells = row.split(',')
    const ts = Date.parse(cells[0]!.includes('T') ? `${cells[0]}Z` : `${cells[0]}T00:00:00Z`)
    places.forEach((place, index) => {
      const value = cells[place] === undefined || cells[place] === '' ? NaN : Number(cells[place])
      if (Number.isFinite(ts) && Number.isFinite(value)) readings.push({ device, metric: metrics[index]!, ts, value })
    })
  }
  return readings
}

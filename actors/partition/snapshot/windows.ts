/** Open windows of some series of a snapshot: minutes with their readings, and those above with their values or bins. */

import { ColumnRoom, toBytes } from '../../../runtime/codec.ts'
import { UPPER_SIZES } from '../series/series.ts'
import type { Series } from '../series/series.ts'
import { SUMMARY_NUMBERS } from '../series/summary.ts'
import type { PartitionState } from '../state.ts'
import { must } from './wire.ts'
import type { Wire } from './wire.ts'

/** Doubles of a minute, of a window above. */
const MINUTE_NUMBERS = 3
const UPPER_NUMBERS = SUMMARY_NUMBERS + 3

const isCount = (n: number) => Number.isInteger(n) && n >= 1

/** Memory for the columns of one piece. */
const minutesRoom = new ColumnRoom()
const readingsRoom = new ColumnRoom()
const upperRoom = new ColumnRoom()
const valuesRoom = new ColumnRoom()
const binsRoom = new ColumnRoom()

/** What is valid until the next call. */
export function writeMinutes({ series }: PartitionState, from: number, until: number): Wire['minutes'] {
  let windows = 0
  let count = 0
  for (let id = from; id < until; id++) {
    for (let minute = series[id].minutes; minute !== null; minute = minute.next) {
      windows++
      count += minute.count
    }
  }
  const minutes = minutesRoom.doubles(windows * MINUTE_NUMBERS)
  const readings = readingsRoom.doubles(count * 2)
  let m = 0
  let r = 0
  for (let id = from; id < until; id++) {
    for (let minute = series[id].minutes; minute !== null; minute = minute.next) {
      minutes[m++] = id
      minutes[m++] = minute.start
      minutes[m++] = minute.count
      r = minute.write(readings, r)
    }
  }
  return [toBytes(minutes), toBytes(readings)]
}

/** What is valid until the next call. */
export function writeUpper({ series, summaries }: PartitionState, from: number, until: number): Wire['upper'] {
  const room = { windows: 0, values: 0, bins: 0 }
  for (let id = from; id < until; id++) {
    for (let size = 1; size <= UPPER_SIZES; size++) {
      for (let handle = series[id].oldest(size); handle !== 0; ) {
        const w = summaries.at(handle)
        room.windows++
        if (w.bins < 0) room.values += w.count
        else room.bins += w.bins
        handle = w.next
      }
    }
  }
  const upper = upperRoom.doubles(room.windows * UPPER_NUMBERS)
  const values = valuesRoom.doubles(room.values)
  const bins = binsRoom.doubles(room.bins * 2)
  let u = 0
  let v = 0
  let b = 0
  for (let id = from; id < until; id++) {
    for (let size = 1; size <= UPPER_SIZES; size++) {
      for (let handle = series[id].oldest(size); handle !== 0; u += UPPER_NUMBERS) {
        const w = summaries.at(handle)
        upper[u] = id
        upper[u + 1] = size
        w.write(upper, u + 2)
        upper[u + UPPER_NUMBERS - 1] = w.bins
        if (w.bins < 0) v = w.writeList(values, v)
        else b = w.writeList(bins, b)
        handle = w.next
      }
    }
  }
  return [toBytes(upper), toBytes(values), toBytes(bins)]
}

export function readMinutes(wire: Wire, state: PartitionState, from: number): void {
  const minutes = minutesRoom.readFloat64(wire.minutes[0])
  const readings = readingsRoom.readFloat64(wire.minutes[1])
  let at = 0
  for (let i = 0; i < minutes.length; i += MINUTE_NUMBERS) {
    const [start, count] = [minutes[i + 1], minutes[i + 2]]
    must(isCount(count) && at + 2 * count <= readings.length && Number.isInteger(start), 'it must hold the readings of each open minute')
    const minute = seriesAt(state, minutes[i], from).minuteOf(start, state.minutePool)
    for (let n = count; n > 0; n--, at += 2) minute.add(readings[at], readings[at + 1])
    must(minute.count === count, 'it must hold each reading of a minute once')
  }
  must(at === readings.length, 'it must hold the readings of each open minute')
}

export function readUpper(wire: Wire, state: PartitionState, from: number): void {
  const upper = upperRoom.readFloat64(wire.upper[0])
  const values = valuesRoom.readFloat64(wire.upper[1])
  const bins = binsRoom.readFloat64(wire.upper[2])
  let value = 0
  let bin = 0
  for (let i = 0; i < upper.length; i += UPPER_NUMBERS) {
    const size = upper[i + 1]
    must(Number.isInteger(size) && size >= 1 && size <= UPPER_SIZES && Number.isInteger(upper[i + 2]), 'each open window must begin somewhere')
    const w = seriesAt(state, upper[i], from).upperAt(size, upper[i + 2], state.summaries)
    must(w.count === 0, 'it must hold each open window once')
    w.read(upper, i + 2)
    const length = upper[i + UPPER_NUMBERS - 1]
    const fits = length < 0 ? value + w.count <= values.length : Number.isInteger(length) && bin + 2 * length <= bins.length
    must(isCount(w.count) && fits, 'it must hold the values of each open window')
    if (length < 0) w.setValues(values.subarray(value, (value += w.count)), w.count)
    else w.setBins(bins.subarray(bin, (bin += 2 * length)), length)
  }
  must(value === values.length && bin === bins.length, 'it must hold the values of each open window')
}

/** A series of the piece at hand, whose first has number `from`. */
function seriesAt({ series }: PartitionState, id: number, from: number): Series {
  must(id >= from && series[id] !== undefined, 'its windows must be of its series')
  return series[id]
}

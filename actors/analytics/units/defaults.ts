/**
 * Units of metrics that many farms and weather stations measure, so that a chart says °C before anyone has told it to.
 *
 * Owns the built-in entries. They are words for eyes only: nothing is converted or refused by them.
 */

import type { Unit } from './units.ts'

const unit = (label: string, symbol: string, decimals: number, range: readonly [number, number] | null = null): Unit => ({ label, unit: symbol, decimals, range })

/** By metric, or by the beginning of metrics where the name ends with `*`. An empty label: the metric's own name, in words. */
export const DEFAULT_UNITS: Readonly<Record<string, Unit>> = {
  soil_moisture: unit('Soil moisture', '%', 1),
  'soil_moisture*': unit('', '%', 1),
  moisture: unit('Moisture', '%', 1),
  soil_temperature: unit('Soil temperature', '°C', 1),
  'soil_temp*': unit('', '°C', 1),
  temperature: unit('Temperature', '°C', 1),
  'temp*': unit('', '°C', 1),
  'air_temp*': unit('', '°C', 1),
  'water_temp*': unit('', '°C', 1),
  temp_max: unit('Highest temperature', '°C', 1),
  temp_min: unit('Lowest temperature', '°C', 1),
  dew_point: unit('Dew point', '°C', 1),
  humidity: unit('Humidity', '%', 0),
  'humidity*': unit('', '%', 0),
  'air_humidity*': unit('', '%', 0),
  ec: unit('Salinity (EC)', 'mS/cm', 2),
  soil_ec: unit('Soil salinity (EC)', 'mS/cm', 2),
  ph: unit('Acidity (pH)', 'pH', 2),
  battery: unit('Battery', 'V', 2),
  'battery_volt*': unit('Battery', 'V', 2),
  battery_percent: unit('Battery', '%', 0),
  voltage: unit('Voltage', 'V', 2),
  current: unit('Current', 'A', 2),
  power: unit('Power', 'W', 0),
  energy: unit('Energy', 'kWh', 2),
  rain: unit('Rain', 'mm', 1),
  'rain*': unit('', 'mm', 1),
  precipitation: unit('Precipitation', 'mm', 1),
  evapotranspiration: unit('Evapotranspiration', 'mm', 1),
  wind: unit('Wind', 'm/s', 1),
  'wind_speed*': unit('', 'm/s', 1),
  wind_gust: unit('Wind gusts', 'm/s', 1),
  wind_direction: unit('Wind direction', '°', 0),
  pressure: unit('Air pressure', 'hPa', 1),
  'pressure*': unit('', 'hPa', 1),
  flow_rate: unit('Flow', 'l/min', 1),
  water_level: unit('Water level', 'cm', 1),
  light: unit('Light', 'lx', 0),
  illuminance: unit('Light', 'lx', 0),
  par: unit('Light for plants (PAR)', 'µmol/m²s', 0),
  solar_radiation: unit('Sunshine', 'W/m²', 0),
  leaf_wetness: unit('Leaf wetness', '%', 0),
  co2: unit('CO₂', 'ppm', 0),
  rssi: unit('Signal', 'dBm', 0),
  snr: unit('Signal over noise', 'dB', 1),
}

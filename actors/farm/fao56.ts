/**
 * Reference evapotranspiration by FAO Irrigation and Drainage Paper 56 (Allen, Pereira, Raes, Smith 1998): the water that a well-watered lawn gives to the
 * air, in mm. Numbers in brackets are the paper's equations.
 *
 * Owns the weather's part: radiation, vapour, the Penman-Monteith equation by the day and by the hour, and Hargreaves where there are temperatures alone.
 * Leaves crop and soil to crops.ts, soils.ts and balance.ts. Pure functions; they import nothing.
 *
 * Units throughout: °C, kPa, m/s at 2 m, MJ/m² a day (or an hour), mm a day (or an hour), m above the sea, degrees north and east.
 */

const SOLAR_CONSTANT = 0.082
/** Of the reference lawn. */
const ALBEDO = 0.23
/** MJ/m² K⁻⁴ a day. */
const STEFAN_BOLTZMANN = 4.903e-9
/** mm of water that a MJ/m² evaporates (20). */
const MM_OF_MJ = 0.408
const radians = (degrees: number) => (degrees * Math.PI) / 180

/** Pressure of the air at a height, kPa (7). */
export function airPressure(elevationM: number): number {
  return 101.3 * ((293 - 0.0065 * elevationM) / 293) ** 5.26
}

/** γ, kPa/°C (8). */
export function psychrometricConstant(pressureKpa: number): number {
  return 0.000665 * pressureKpa
}

/** e°(T), kPa (11). */
export function saturationPressure(temperature: number): number {
  return 0.6108 * Math.exp((17.27 * temperature) / (temperature + 237.3))
}

/** Of a day or longer, kPa (12): the mean of the two, since the curve bends. */
export function meanSaturationPressure(temperatureMax: number, temperatureMin: number): number {
  return (saturationPressure(temperatureMax) + saturationPressure(temperatureMin)) / 2
}

/** Δ, kPa/°C (13). */
export function saturationSlope(temperature: number): number {
  return (4098 * saturationPressure(temperature)) / (temperature + 237.3) ** 2
}

/** Actual vapour pressure of a day of its two humidities in percent, kPa (17). */
export function vapourPressureOfHumidity(day: { temperatureMax: number; temperatureMin: number; humidityMax: number; humidityMin: number }): number {
  return (saturationPressure(day.temperatureMin) * day.humidityMax + saturationPressure(day.temperatureMax) * day.humidityMin) / 200
}

/** Wind at 2 m of that measured at another height (47). */
export function windAt2m(wind: number, heightM: number): number {
  return (wind * 4.87) / Math.log(67.8 * heightM - 5.42)
}

/** Where the sun stands on a day of the year, 1 to 366. */
function sun(dayOfYear: number): { inverseDistance: number; declination: number } {
  const angle = (2 * Math.PI * dayOfYear) / 365
  return { inverseDistance: 1 + 0.033 * Math.cos(angle), declination: 0.409 * Math.sin(angle - 1.39) } // (23), (24)
}

/** ωs (25): half a day between noon and sunset; none in the polar night, all of it in the polar day. */
function sunsetAngle(latitude: number, declination: number): number {
  return Math.acos(Math.min(1, Math.max(-1, -Math.tan(radians(latitude)) * Math.tan(declination))))
}

/** N, hours (34). */
export function daylightHours(latitude: number, dayOfYear: number): number {
  return (24 / Math.PI) * sunsetAngle(latitude, sun(dayOfYear).declination)
}

/** Ra of a day, MJ/m² (21). */
export function extraterrestrialRadiation(latitude: number, dayOfYear: number): number {
  const { inverseDistance, declination } = sun(dayOfYear)
  const sunset = sunsetAngle(latitude, declination)
  const phi = radians(latitude)
  return ((24 * 60) / Math.PI) * SOLAR_CONSTANT * inverseDistance * (sunset * Math.sin(phi) * Math.sin(declination) + Math.cos(phi) * Math.cos(declination) * Math.sin(sunset))
}

/** Ra of the hour around `middleUtcHour` (0.5 for the first of the UTC day), MJ/m² (28); 0 by night. */
export function extraterrestrialRadiationOfHour(place: { latitude: number; longitude: number }, dayOfYear: number, middleUtcHour: number): number {
  const { inverseDistance, declination } = sun(dayOfYear)
  const b = (2 * Math.PI * (dayOfYear - 81)) / 364 // (33)
  const seasonHours = 0.1645 * Math.sin(2 * b) - 0.1255 * Math.cos(b) - 0.025 * Math.sin(b) // (32)
  const sunHour = middleUtcHour + place.longitude / 15 + seasonHours // (31), with UTC for the zone's clock
  const noon = (Math.PI / 12) * (((((sunHour - 12 + 12) % 24) + 24) % 24) - 12)
  const sunset = sunsetAngle(place.latitude, declination)
  const from = Math.max(-sunset, noon - Math.PI / 24) // (29)
  const to = Math.min(sunset, noon + Math.PI / 24) // (30)
  if (to <= from) return 0
  const phi = radians(place.latitude)
  const height = (to - from) * Math.sin(phi) * Math.sin(declination) + Math.cos(phi) * Math.cos(declination) * (Math.sin(to) - Math.sin(from))
  return Math.max(0, ((12 * 60) / Math.PI) * SOLAR_CONSTANT * inverseDistance * height)
}

/** Rs of the hours of bright sunshine of `daylight` possible ones (35). */
export function radiationOfSunshine(sunshineHours: number, daylight: number, extraterrestrial: number): number {
  return (0.25 + (0.5 * sunshineHours) / daylight) * extraterrestrial
}

/** Rs of a day's range of temperature (50): `adjustment` 0.16 inland, 0.19 by the sea. Never above that of a clear sky. */
export function radiationOfTemperatures(
  day: { temperatureMax: number; temperatureMin: number; elevationM: number },
  extraterrestrial: number,
  adjustment = 0.16,
): number {
  const range = Math.max(0, day.temperatureMax - day.temperatureMin)
  return Math.min(adjustment * Math.sqrt(range) * extraterrestrial, clearSkyRadiation(extraterrestrial, day.elevationM))
}

/** Rso (37). */
export function clearSkyRadiation(extraterrestrial: number, elevationM: number): number {
  return (0.75 + 2e-5 * elevationM) * extraterrestrial
}

/** Rn of a day (38, 39, 40). */
export function netRadiation(
  day: { temperatureMax: number; temperatureMin: number; vapourPressure: number; elevationM: number },
  radiation: number,
  extraterrestrial: number,
): number {
  const clear = clearSkyRadiation(extraterrestrial, day.elevationM)
  const bodies = ((day.temperatureMax + 273.16) ** 4 + (day.temperatureMin + 273.16) ** 4) / 2
  return (1 - ALBEDO) * radiation - longwave(STEFAN_BOLTZMANN * bodies, day.vapourPressure, clear > 0 ? radiation / clear : 1)
}

/** Rnl (39). How clear the sky is counts from a quarter, which is overcast, to 1. */
function longwave(black: number, vapourPressure: number, clearness: number): number {
  return black * (0.34 - 0.14 * Math.sqrt(Math.max(0, vapourPressure))) * (1.35 * Math.min(1, Math.max(0.25, clearness)) - 0.35)
}

export interface DayOfWeather {
  readonly temperatureMax: number
  readonly temperatureMin: number
  /** Actual, kPa. */
  readonly vapourPressure: number
  /** At 2 m. */
  readonly wind: number
  /** Rs, MJ/m² a day. */
  readonly radiation: number
  readonly latitude: number
  readonly elevationM: number
  readonly dayOfYear: number
  /** G, MJ/m² a day: none for a day (42); of a month by (43), (44). Default 0. */
  readonly soilHeat?: number
}

/** ET0 of a day, mm (6). Never below 0: dew is not counted. */
export function et0OfDay(day: DayOfWeather): number {
  const mean = (day.temperatureMax + day.temperatureMin) / 2
  const net = netRadiation(day, day.radiation, extraterrestrialRadiation(day.latitude, day.dayOfYear)) - (day.soilHeat ?? 0)
  const deficit = Math.max(0, meanSaturationPressure(day.temperatureMax, day.temperatureMin) - day.vapourPressure)
  return penmanMonteith({ net, mean, wind: day.wind, deficit, gamma: psychrometricConstant(airPressure(day.elevationM)), numerator: 900 })
}

/** G of a month of its mean temperature and that of the month before, MJ/m² a day (44). */
export function soilHeatOfMonth(meanTemperature: number, meanBefore: number): number {
  return 0.14 * (meanTemperature - meanBefore)
}

export interface HourOfWeather {
  readonly temperature: number
  /** Relative, percent. */
  readonly humidity: number
  readonly wind: number
  /** Rs, MJ/m² an hour. */
  readonly radiation: number
  readonly latitude: number
  readonly longitude: number
  readonly elevationM: number
  readonly dayOfYear: number
  readonly middleUtcHour: number
  /** How clear the sky was two or three hours before sunset, Rs/Rso: stands for that of the night. Default 0.8. */
  readonly clearnessAtNight?: number
}

/** ET0 of an hour, mm (53). */
export function et0OfHour(hour: HourOfWeather): number {
  const extraterrestrial = extraterrestrialRadiationOfHour(hour, hour.dayOfYear, hour.middleUtcHour)
  const isDay = extraterrestrial > 0
  const saturated = saturationPressure(hour.temperature)
  const vapourPressure = (saturated * hour.humidity) / 100 // (54)
  const clear = clearSkyRadiation(extraterrestrial, hour.elevationM)
  const clearness = isDay && clear > 0.05 ? hour.radiation / clear : (hour.clearnessAtNight ?? 0.8)
  const net = (1 - ALBEDO) * hour.radiation - longwave((STEFAN_BOLTZMANN / 24) * (hour.temperature + 273.16) ** 4, vapourPressure, clearness)
  const soilHeat = (isDay ? 0.1 : 0.5) * net // (45), (46)
  return penmanMonteith({
    net: net - soilHeat,
    mean: hour.temperature,
    wind: hour.wind,
    deficit: saturated - vapourPressure,
    gamma: psychrometricConstant(airPressure(hour.elevationM)),
    numerator: 37,
  })
}

function penmanMonteith({ net, mean, wind, deficit, gamma, numerator }: { net: number; mean: number; wind: number; deficit: number; gamma: number; numerator: number }): number {
  const slope = saturationSlope(mean)
  const mm = (MM_OF_MJ * slope * net + ((gamma * numerator) / (mean + 273)) * wind * deficit) / (slope + gamma * (1 + 0.34 * wind))
  return Math.max(0, mm)
}

/** ET0 of a day of its temperatures alone, mm (52). */
export function et0OfTemperatures(day: { temperatureMax: number; temperatureMin: number; latitude: number; dayOfYear: number }): number {
  const mean = (day.temperatureMax + day.temperatureMin) / 2
  const range = Math.max(0, day.temperatureMax - day.temperatureMin)
  return Math.max(0, 0.0023 * (mean + 17.8) * Math.sqrt(range) * MM_OF_MJ * extraterrestrialRadiation(day.latitude, day.dayOfYear))
}

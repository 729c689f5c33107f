/**
 * Kinds of series: those of one tenant that measure the same in the same sort of device, so that what is learned of many holds for one of them.
 *
 * The sort of a device is told by its name, each run of digits a `#`: `field-7/probe-2` and `field-12/probe-31` are both `field-#/probe-#`.
 */

/** The sort of a device. */
export function sortOf(device: string): string {
  return device.replace(/\d+/g, '#')
}

/** Tenant, sort of device, and metric, each ended by a line feed but the last. */
export function kindOf(tenant: string, device: string, metric: string): string {
  return `${tenant}\n${sortOf(device)}\n${metric}`
}

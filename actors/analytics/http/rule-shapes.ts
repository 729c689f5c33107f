/** Shapes of rules for OpenAPI. What a rule may be in detail, alert/document.ts says, with errors that point at the place. */

import { z } from '@hono/zod-openapi'
import { CONDITIONS_HELP } from '../../alert/document-conditions.ts'

const condition = z.record(z.string(), z.unknown()).openapi('Condition', {
  description: `${CONDITIONS_HELP.charAt(0).toUpperCase()}${CONDITIONS_HELP.slice(1)}.`,
  example: { below: 14, clear: 16 },
})
const severity = z.string().openapi({ example: 'warning' })
const duration = (what: string, example: string) => z.string().optional().openapi({ description: what, example })
const message = z.string().optional().openapi({ description: 'Words, with {device}, {metric}, {value}, {what}, {rule}, {severity} and {labels.NAME} filled in.', example: '{device} is dry: {value} %' })

export const RuleDocument = z
  .object({
    name: z.string().optional().openapi({ example: 'Soil too dry' }),
    select: z.object({ metric: z.string(), device: z.string().optional(), devices: z.array(z.string()).optional(), prefix: z.string().optional() }).openapi({ description: 'Which series; at most one of device, devices, prefix.', example: { prefix: 'field-7/', metric: 'soil_moisture' } }),
    when: condition,
    for: duration('How long it must hold without a break.', '10m'),
    severity: severity.optional(),
    message,
    resolved: message,
    steps: z.array(z.object({ severity, when: condition, for: duration('As above.', '5m'), message })).optional().openapi({ description: 'Greater severities, each with a condition of its own; of several that hold the last counts.' }),
    schedule: z
      .object({ zone: z.string(), days: z.array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])).optional(), from: z.string().optional(), to: z.string().optional() })
      .optional()
      .openapi({ description: 'When it may raise something, by the clocks of a zone; what is open is resolved at any time.', example: { zone: 'Europe/Vienna', from: '06:00', to: '22:00' } }),
    flapping: z.object({ count: z.int().optional(), within: z.string().optional() }).optional().openapi({ description: 'So many openings within a time are told as flapping, once: 4 within 1h by default.' }),
    reopen: duration('An alert that comes back within this is the same one: 1h by default.', '1h'),
    labels: z.record(z.string(), z.string()).optional(),
    enabled: z.boolean().optional(),
  })
  .openapi('Rule')

export const RuleRow = z.object({ id: z.string(), revision: z.int(), in_force: z.boolean(), rule: RuleDocument }).openapi('RuleEntry')
export const Rules = z.object({ rules: z.array(RuleRow), mayEdit: z.boolean().openapi({ description: 'Whether the key of this request may edit.' }) }).openapi('Rules')

const time = z.union([z.string(), z.number()])
export const Trial = z
  .object({
    id: z.string(),
    from: time,
    to: time,
    alerts: z.int().openapi({ description: 'Alerts that it would have opened.' }),
    series: z.int().openapi({ description: 'Series that it selects.' }),
    readings: z.int().openapi({ description: 'Readings that were looked at.' }),
    known: z.int().openapi({ description: 'Alerts that the rule of this id did raise in that time.' }),
    met: z.int().openapi({ description: 'How many of the alerts it would have opened were open at a time with one of those.' }),
    events: z.array(z.object({ device: z.string(), metric: z.string(), alert: z.int(), event: z.string(), severity: z.string(), at: time, value: z.number().nullable(), message: z.string() })),
    truncated: z.boolean(),
  })
  .openapi('RuleTrial')

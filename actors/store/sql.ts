/** Statements that live in the folder `sql/`, with `{{name}}` where the caller fills something in. */

import { readFileSync } from 'node:fs'

/** The text of `sql/<name>.sql` without its comments, which explain what is filled in and so must not be filled themselves. */
export function readSql(name: string): string {
  return readFileSync(new URL(`../../sql/${name}.sql`, import.meta.url), 'utf8').replaceAll(/^--.*\n/gm, '')
}

/** Fills every `{{name}}` of a template. Throws where one is left over, or a value is not asked for. */
export function fillSql(template: string, values: Readonly<Record<string, string>>): string {
  const unused = new Set(Object.keys(values))
  const filled = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new RangeError(`Cannot fill the statement as {{${name}}} must be given: given are ${Object.keys(values).join(', ')}`)
    unused.delete(name)
    return value
  })
  if (unused.size > 0) throw new RangeError(`Cannot fill the statement as it must ask for every value: ${[...unused].join(', ')} is not in it`)
  return filled
}

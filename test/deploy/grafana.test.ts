/** The dashboards and the provisioning for Grafana: that they hold together. Their queries are run in test/integration. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { dashboard, provisioned } from '../support/grafana.ts'
import type { InfinityQuery, Panel } from '../support/grafana.ts'

const names = readdirSync(join(import.meta.dirname, '../../deploy/grafana/dashboards')).map((file) => file.replace(/\.json$/, ''))

describe.each(names)('the dashboard %s', (name) => {
  const board = dashboard(name)

  test('is named as its file, and of a schema that Grafana knows', () => {
    expect(board.uid).toBe(name)
    expect(board.title).toMatch(/^Weir: /)
    expect(board.schemaVersion).toBe(39)
  })

  test('has panels of their own numbers that share no place and fit the grid', () => {
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length)
    const apart = ({ gridPos: a }: Panel, { gridPos: b }: Panel) => a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
    for (const [i, panel] of board.panels.entries()) {
      expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24)
      for (const other of board.panels.slice(0, i)) expect([panel.title, other.title, apart(panel, other)]).toEqual([panel.title, other.title, true])
    }
  })

  test('asks the source that one of its variables names, which is the one provisioned', () => {
    const sources = new Map(board.templating.list.filter(({ type }) => type === 'datasource').map((variable) => [`\${${variable.name}}`, variable]))
    for (const { title, datasource, targets } of board.panels) {
      expect([title, sources.get(datasource.uid)?.query]).toEqual([title, datasource.type])
      expect(targets.length).toBeGreaterThan(0)
    }
    const yaml = provisioned('datasources/weir.yml', {})
    for (const { current, query } of sources.values()) expect(yaml).toMatch(new RegExp(`uid: ${current.value}\\n    type: ${query as string}\\n`))
  })

  test('names in its overrides and transformations only columns that its queries give', () => {
    for (const { title, targets, fieldConfig, transformations = [] } of board.panels) {
      const columns = targets.flatMap((target) => (target.columns ?? []).map(({ text }) => text))
      const named = [
        ...fieldConfig.overrides.filter(({ matcher }) => matcher.id === 'byName').map(({ matcher }) => matcher.options),
        ...transformations.flatMap(({ options }) => Object.keys(options.indexByName ?? {})),
      ]
      expect([title, named.filter((column) => !columns.includes(column))]).toEqual([title, []])
    }
  })

  test('uses only variables that it has, or that Grafana has', () => {
    const known = new Set([...board.templating.list.map((variable) => variable.name), '__from', '__to', '__interval', '__interval_ms'])
    const queries = [
      ...board.panels.flatMap(({ targets }) => targets),
      ...board.annotations.list.map(({ target }) => target),
      ...board.templating.list.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.infinityQuery])),
    ].filter((query): query is InfinityQuery & { expr?: string } => query.url_options !== undefined)
    for (const { url, url_options: options } of queries) {
      const text = [url, options.data ?? '', ...options.params.map(({ value }) => value)].join(' ')
      expect([...text.matchAll(/\$\{(\w+)\}/g)].map(([, variable]) => variable).filter((variable) => !known.has(variable))).toEqual([])
    }
  })
})

test('the sources take addresses and key from the environment, the key among the secrets, and send it nowhere but to Weir', () => {
  const yaml = provisioned('datasources/weir.yml', { WEIR_URL: 'http://10.0.0.1:8080', WEIR_KEY: 'weir_analyst_1', PROMETHEUS_URL: 'http://10.0.0.2:9090' }).replaceAll(/^ *#.*$/gm, '')
  expect(yaml).not.toContain('$')
  expect(yaml).toMatch(/secureJsonData:\n      bearerToken: weir_analyst_1\n/)
  expect(yaml).toMatch(/url: http:\/\/10\.0\.0\.1:8080\n    jsonData:\n      auth_method: bearerToken\n      allowedHosts:\n        - http:\/\/10\.0\.0\.1:8080\n/)
})

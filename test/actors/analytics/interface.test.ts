import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { House } from './house.ts'

let house: House
beforeAll(async () => {
  house = await House.open()
})
afterAll(() => house.close())

describe('the OpenAPI document', () => {
  it('is of version 3.1, names every path, and each of its references leads somewhere', async () => {
    const answer = await house.get('/openapi.json', { key: '' })
    expect(answer.status).toBe(200)
    const doc: any = await answer.json()
    expect(doc.openapi).toMatch(/^3\.1/)
    const names = ['anomalies', 'devices', 'graph', 'latest', 'ledger', 'ledger/devices', 'ledger/times', 'live', 'readings', 'series', 'sql', 'sql/tables', 'status', 'targets', 'units', 'units/{metric}', 'windows']
    const lists = names.map((name) => `/v1/${name}`)
    expect(Object.keys(doc.paths).sort()).toEqual(['/api/v2/write', ...lists])
    expect(Object.keys(doc.paths['/v1/readings']).sort()).toEqual(['get', 'post'])
    const named = (operation: any) => operation.parameters.map((parameter: any) => `${parameter.in} ${parameter.name}`)
    expect(named(doc.paths['/api/v2/write'].post)).toEqual(expect.arrayContaining(['query precision', 'header Idempotency-Key']))
    expect(named(doc.paths['/v1/live'].get)).toContain('header Last-Event-ID')
    for (const type of ['application/msgpack', 'application/vnd.msgpack', 'application/x-msgpack']) expect(doc.paths['/v1/readings'].post.requestBody.content).toHaveProperty([type])
    const references = [...JSON.stringify(doc).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((m) => m[1])
    expect(references.length).toBeGreaterThan(0)
    for (const reference of references) expect(reference.split('/').reduce((at, part) => at?.[part], doc)).toBeTypeOf('object')
    for (const [path, verbs] of Object.entries<any>(doc.paths)) {
      for (const operation of Object.values<any>(verbs)) {
        expect(operation.summary.length).toBeGreaterThan(5)
        expect(operation.security).toEqual([{ key: [] }])
        expect(operation.responses).toHaveProperty('401')
        for (const parameter of operation.parameters ?? []) {
          expect(parameter.schema).toBeTypeOf('object')
          expect(['query', 'header', 'path']).toContain(parameter.in)
          if (parameter.in === 'query') expect((parameter.description ?? parameter.schema.description).length).toBeGreaterThan(5)
        }
        for (const [code, response] of Object.entries<any>(operation.responses)) {
          expect(response.description.length).toBeGreaterThan(5)
          for (const [type, media] of Object.entries<any>(response.content ?? {})) {
            expect(media.schema).toBeTypeOf('object')
            if (Number(code) >= 400) expect(type).toBe(path.startsWith('/v1/') ? 'application/problem+json' : 'application/json')
          }
        }
      }
    }
    expect(doc.components.securitySchemes.key).toMatchObject({ type: 'http', scheme: 'bearer' })
  })

  it('has a page that shows it and loads nothing from elsewhere', async () => {
    const answer = await house.get('/docs', { key: '' })
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await answer.text()
    expect(page).toContain('openapi.json')
    expect(page).not.toMatch(/https?:\/\//)
  })
})

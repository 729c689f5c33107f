import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { House } from '../house.ts'

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
    const names = ['actors/{name}/documents/{id}', 'alerts', 'alerts/{id}/ack', 'alerts/{id}/resolve', 'alerts/{id}/shelve', 'alerts/{id}/unshelve', 'anomalies', 'anomalies/feedback', 'devices', 'drivers', 'fleet', 'forecast', 'graph', 'latest', 'ledger', 'ledger/devices', 'ledger/times', 'live', 'plots', 'plots/{id}', 'readings', 'routes', 'routes/{id}', 'routes/{id}/test', 'rules', 'rules/{id}', 'rules/{id}/try', 'series', 'sql', 'sql/tables', 'status', 'targets', 'units', 'units/{metric}', 'views', 'views/{name}', 'windows']
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

  it('names for each parameter what is taken, and nothing else is', async () => {
    const doc: any = await house.json('/openapi.json')
    const paths = Object.entries<any>(doc.paths).filter(([path, verbs]) => verbs.get !== undefined && path !== '/v1/live')
    for (const [path, { get }] of paths) {
      const queries = (get.parameters ?? []).filter((parameter: any) => parameter.in === 'query')
      const needed = queries.filter((parameter: any) => parameter.required).map(({ name, schema }: any) => [name, schema.example])
      const status = async (name: string, value: string) => (await house.get(`${path}?${new URLSearchParams([...needed.filter(([other]: string[]) => other !== name), [name, value]])}`)).status
      for (const { name, schema, required } of queries) {
        if (required) expect([path, name, await status('time', 'ms'), await status(name, '')]).toEqual([path, name, 200, 400])
        if (schema.enum !== undefined) {
          for (const word of schema.enum) expect([path, name, word, await status(name, word)]).toEqual([path, name, word, 200])
          expect([path, name, [400, 406].includes(await status(name, 'other'))]).toEqual([path, name, true])
        }
        for (const bound of [schema.minimum, schema.maximum].filter((n) => n !== undefined)) {
          expect([path, name, bound, await status(name, String(bound))]).toEqual([path, name, bound, 200])
          expect([path, name, await status(name, String(bound === schema.minimum ? bound - 1 : bound + 1))]).toEqual([path, name, 400])
        }
        if (schema.pattern !== undefined) {
          expect(schema.example).toMatch(new RegExp(schema.pattern))
          expect([path, name, await status(name, schema.example)]).toEqual([path, name, 200])
          expect('no name').not.toMatch(new RegExp(schema.pattern))
          expect([path, name, await status(name, 'no name')]).toEqual([path, name, 400])
        }
      }
    }
  })

  it('has a page that shows it and loads nothing from elsewhere', async () => {
    const answer = await house.get('/docs', { key: '' })
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await answer.text()
    expect(page).toContain('openapi.json')
    expect(page).not.toMatch(/https?:\/\//)
  })
})

describe('where no endpoint is', () => {
  const ask = (method: string, path: string, key = house.keys['default analyst']) =>
    house.analytics.app.request(path, { method, headers: { authorization: `Bearer ${key}` } })

  it('another method of a path that there is gets 405 and is told which it takes, what the edge answers among them', async () => {
    for (const [method, path, allow] of [
      ['POST', '/v1/windows', 'GET, HEAD, OPTIONS'],
      ['DELETE', '/v1/graph?device=d', 'GET, HEAD, OPTIONS'],
      ['PUT', '/v1/readings', 'GET, HEAD, OPTIONS, POST'],
      ['GET', '/api/v2/write', 'OPTIONS, POST'],
      ['GET', '/v1/alerts/a7/ack', 'OPTIONS, POST'],
      ['GET', '/v1/units/soil_moisture', 'DELETE, OPTIONS, PUT'],
      ['POST', '/openapi.json', 'GET, HEAD, OPTIONS'],
      ['PATCH', '/docs', 'GET, HEAD, OPTIONS'],
      ['POST', '/', 'GET, HEAD, OPTIONS'],
    ]) {
      const answer = await ask(method, path)
      expect([method, path, answer.status, answer.headers.get('allow')]).toEqual([method, path, 405, allow])
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect((await answer.json()).detail).toContain('It takes')
    }
  })

  it('OPTIONS tells the methods of a path, and HEAD is GET without a body', async () => {
    const options = await ask('OPTIONS', '/v1/readings', '')
    expect([options.status, options.headers.get('allow'), await options.text()]).toEqual([204, 'GET, HEAD, OPTIONS, POST', ''])
    expect((await ask('OPTIONS', '/v1/nothing')).status).toBe(404)
    for (const path of ['/v1/windows', '/v1/status', '/docs', '/openapi.json', '/v1/live']) {
      const head = await ask('HEAD', path)
      expect([path, head.status, await head.text()]).toEqual([path, 200, ''])
    }
    expect(house.analytics.hub.size).toBe(0)
    expect((await ask('HEAD', '/v1/windows?size=5')).status).toBe(400)
  })

  it('an unknown path is 404 and told those near it', async () => {
    const near = async (path: string) => {
      const answer = await ask('GET', path)
      expect([path, answer.status]).toEqual([path, 404])
      const { detail, near } = await answer.json()
      expect(detail).toContain('/docs')
      return near
    }
    expect((await near('/v1/window'))[0]).toBe('/v1/windows')
    expect((await near('/v1/Readings/'))[0]).toBe('/v1/readings')
    expect((await near('/series'))[0]).toBe('/v1/series')
    expect(await near('/v1/alerts/a7/ack/more')).toEqual([])
    expect(await near(`/${'x'.repeat(5_000)}`)).toEqual([])
  })
})

describe('alerts and forecasts', () => {
  it('are lists in their final shape, empty where there are none', async () => {
    expect(await house.json('/v1/alerts?state=open,acked&severity=critical&device=d1&limit=5&time=ms')).toEqual({ alerts: [], cursor: null, mayAct: false })
    expect(await (await house.get('/v1/alerts?format=csv')).text()).toBe('id,rule,device,metric,severity,event,at,value,message,state,opened_at\r\n')
    const none = { device: 'd1', metric: 'm', model: null, made_at: null, coverage: null, error: null, forecast: [] }
    expect(await house.json('/v1/forecast?device=d1&metric=m&horizon=48h')).toEqual(none)
    expect(await (await house.get('/v1/forecast?device=d1&metric=m&format=csv')).text()).toBe('ts,mean,lower,upper,lower80,upper80,made_at,model\r\n')
  })

  it('refuse a parameter that can not be used, and know no alert', async () => {
    for (const [parameter, path] of [
      ['state', '/v1/alerts?state=closed'],
      ['severity', '/v1/alerts?severity=a%20b'],
      ['limit', '/v1/alerts?limit=0'],
      ['cursor', '/v1/alerts?cursor=x'],
      ['device', '/v1/forecast?metric=m'],
      ['metric', '/v1/forecast?device=d&metric=a,b'],
      ['horizon', '/v1/forecast?device=d&metric=m&horizon=soon'],
      ['horizon', '/v1/forecast?device=d&metric=m&horizon=8d'],
    ]) {
      const answer = await house.get(path)
      expect([path, answer.status, (await answer.json()).parameter]).toEqual([path, 400, parameter])
    }
    for (const verb of ['ack', 'resolve']) {
      const post = (key: string) => house.analytics.app.request(`/v1/alerts/a%2F7/${verb}`, { method: 'POST', headers: key === '' ? {} : { authorization: `Bearer ${key}` } })
      const answer = await post((await house.keyring.create({ tenant: 'default', role: 'admin' })).secret)
      expect([answer.status, (await answer.json()).title]).toEqual([404, 'No such alert'])
      expect([(await post('')).status, (await post(house.keys['default analyst'])).status]).toEqual([401, 403])
    }
  })
})

/** Routes as people write them: errors point at the place, and secrets stay where they were put. */

import { describe, expect, it } from 'vitest'
import { HIDDEN, parseRoute, RouteError, shownDocument } from '../../../actors/notify/document.ts'
import { isSecret, secretOf, signatureOf } from '../../../actors/notify/signature.ts'
import { SECRET } from './stage.ts'

const draw = () => SECRET
const HOOK = { url: 'https://hooks.example.org/T0/B1/s3cr3t', secret: SECRET }
const BROKER = { url: 'mqtts://broker.example.org', topic: 'weir/alerts', user: 'weir', password: 'hunter2' }
const MAIL = { to: 'a@example.org', from: 'weir@example.org', server: 'smtp://mail.example.org', user: 'weir', password: 'hunter2' }

describe('a route', () => {
  it('has defaults that suit one message an alert', () => {
    const { route, drawn, document } = parseRoute({ target: { webhook: { url: HOOK.url } } }, null, draw)
    expect(route).toMatchObject({ groupBy: [], waitMs: 0, intervalMs: 0, remindMs: null, giveUpMs: 86_400_000, urgent: ['critical'] })
    expect(route.events).toEqual(['opened', 'escalated', 'resolved', 'reopened', 'flapping', 'unshelved', 'eased'])
    expect(drawn).toBe(SECRET)
    expect(document).toEqual({ target: { webhook: HOOK } })
  })

  it.each([
    [{}, '/target must be there'],
    [{ target: {} }, '/target must be an object with one of webhook, email, nats, mqtt'],
    [{ target: { webhook: HOOK, nats: {} } }, '/target must be an object with one of'],
    [{ target: { webhook: { url: 'ftp://x' } } }, '/target/webhook/url must be an address'],
    [{ target: { webhook: { url: 'https://u:p@x/' } } }, '/target/webhook/url must be an address'],
    [{ target: { webhook: { ...HOOK, secret: 'whsec_c2hvcnQ=' } } }, '/target/webhook/secret must be whsec_'],
    [{ target: { email: { ...MAIL, to: ['a@b', 'x\r\nBcc: y@z'] } } }, '/target/email/to/1 must be an address'],
    [{ target: { email: { ...MAIL, server: 'mail.example.org' } } }, '/target/email/server must be the address of a mail server'],
    [{ target: { email: { ...MAIL, password: undefined } } }, '/target/email/user must be there together with user'],
    [{ target: { mqtt: { url: 'http://x', topic: 'a' } } }, '/target/mqtt/url must be the address of a broker'],
    [{ target: { mqtt: { url: 'mqtt://x', topic: 'a/#' } } }, '/target/mqtt/topic must be a topic'],
    [{ target: { nats: { stored: 1 } } }, '/target/nats/stored must be true or false'],
    [{ target: { nats: {} }, wait: '2 moons' }, '/wait must be a duration'],
    [{ target: { nats: {} }, match: { severity: 'so so' } }, '/match/severity must be up to 32'],
    [{ target: { nats: {} }, inhibit: [{ when: {}, silences: {}, equal: ['plot'], on: 1 }] }, '/inhibit/0/on must be left out'],
    [{ target: { nats: {} }, message: '{devcie}' }, '/message must be a text whose braces hold'],
    [{ target: { nats: {} }, events: ['opened', 'closed'] }, '/events/1 must be one of'],
    [{ target: { nats: {} }, remind: '5s' }, '/remind must be a duration'],
  ])('that can not be used says where: %j', (json, message) => {
    const error = (() => {
      try {
        parseRoute(json, null, draw)
      } catch (thrown) {
        return thrown
      }
    })() as RouteError
    expect(error).toBeInstanceOf(RouteError)
    expect(error.message).toContain(`Cannot use this route as ${message}`)
    expect(error.pointer).toBe(message.split(' ')[0])
    expect(error.message).not.toContain('whsec_c2')
  })

  it('is shown without its secrets, and may be sent back as it was shown', () => {
    for (const target of [{ webhook: HOOK }, { email: MAIL }, { mqtt: BROKER }]) {
      const { document } = parseRoute({ name: 'x', target }, null, draw)
      const shown = shownDocument(document)
      expect(JSON.stringify(shown)).not.toMatch(/s3cr3t|whsec|hunter2/)
      expect(parseRoute(shown, document, draw)).toMatchObject({ document, drawn: null })
      expect(() => parseRoute(shown, null, draw)).toThrow(RouteError)
    }
    expect(shownDocument(parseRoute({ target: { webhook: HOOK } }, null, draw).document)).toEqual({ target: { webhook: { url: `https://hooks.example.org/${HIDDEN}`, secret: HIDDEN } } })
  })

  it('keeps a secret that is left out, and sends none to another server than it was given for', () => {
    const { document } = parseRoute({ target: { webhook: HOOK } }, null, draw)
    expect(parseRoute({ target: { webhook: { url: 'https://elsewhere.example.org/' } } }, document, () => 'another').document).toEqual({ target: { webhook: { url: 'https://elsewhere.example.org/', secret: SECRET } } })
    expect(() => parseRoute({ target: { webhook: { url: `https://elsewhere.example.org/${HIDDEN}` } } }, document, draw)).toThrow('/target/webhook/url must be written out')
    const mail = parseRoute({ target: { email: MAIL } }, null, draw).document
    for (const change of [{ server: 'smtp://evil.example.org' }, { user: 'eve' }]) {
      expect(() => parseRoute({ target: { email: { ...MAIL, ...change, password: HIDDEN } } }, mail, draw)).toThrow('/target/email/password must be written out')
    }
  })
})

describe('a signature', () => {
  it('is the one of Standard Webhooks: the vector of its specification', () => {
    const body = '{"test": 2432232314}'
    const given = { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body }
    expect(isSecret(given.secret)).toBe(true)
    expect(signatureOf(given)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
    expect(signatureOf({ ...given, timestamp: 1614265331 })).not.toBe(signatureOf(given))
  })

  it('is made by secrets of 24 to 64 bytes', () => {
    for (const [bytes, sound] of [[23, false], [24, true], [64, true], [65, false]] as const) expect(isSecret(secretOf(new Uint8Array(bytes)))).toBe(sound)
    expect(isSecret('whsec_not base64, but long enough to be one')).toBe(false)
  })
})

// Writes a picture of every screen, wide and phone, light and dark, into ui/screenshots (or SCREENSHOTS).

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasBrowser, launch } from '../browser'
import { screens } from '../screens'
import { idle } from '../session'
import { hasServer, start, type Server } from '../server'

const dir = process.env['SCREENSHOTS'] ?? join(import.meta.dirname, '../../screenshots')
const sizes = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } }

let browser: Browser
let server: Server

beforeAll(async () => {
  if (!hasBrowser || !hasServer) throw new Error('needs chromium and bin/lastnight (make build), or LASTNIGHT_URL')
  mkdirSync(dir, { recursive: true })
  ;[browser, server] = await Promise.all([launch(), start()])
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${size} ${colorScheme}`, { timeout: 240_000 }, async () => {
      const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB', timezoneId: 'Europe/Berlin' })
      const page = await context.newPage()
      for (const [name, href] of Object.entries(await screens(server.url))) {
        await page.goto(server.url + href)
        await idle(page)
        await page.waitForTimeout(300)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        expect(wide, `${name} is wider than the window`).toBeLessThanOrEqual(0)
        await page.screenshot({ path: join(dir, `${name}-${size}-${colorScheme}.png`) })
      }
      await context.close()
    })
  }
}

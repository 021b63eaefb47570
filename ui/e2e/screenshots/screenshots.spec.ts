// Writes a picture of every screen, wide and phone, light and dark, into ui/screenshots (or SCREENSHOTS): the window, or, with
// FULL=1, the whole page. ONLY=home,label writes only screens with these words in their names.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { browser, serverFor } from '../harness'
import { people } from '../people'
import { screens } from '../screens'
import { start } from '../server'
import { idle } from '../session'

const dir = process.env['SCREENSHOTS'] ?? join(import.meta.dirname, '../../screenshots')
const only = process.env['ONLY']?.split(',') ?? ['']
const sizes = { wide: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } }
const server = serverFor(async () => { const s = await start(); await people(s.url); return s })

for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`${size} ${colorScheme}`, { timeout: 400_000 }, async () => {
      mkdirSync(dir, { recursive: true })
      const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB', timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone })
      const page = await context.newPage()
      for (const [name, href] of Object.entries(await screens(server.url))) {
        if (!only.some((o) => name.includes(o))) continue
        await page.goto(server.url + href)
        await idle(page)
        await page.waitForTimeout(300)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        expect(wide, `${name} is wider than the window`).toBeLessThanOrEqual(0)
        await page.screenshot({ path: join(dir, `${name}-${size}-${colorScheme}.png`), fullPage: !!process.env['FULL'] })
      }
      await context.close()
    })
  }
}

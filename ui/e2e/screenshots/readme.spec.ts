// Writes the pictures of the README into docs/images. Only when asked (README_IMAGES=1): they are tracked, and times in them move.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import type { IncidentList } from '../../src/api/types'
import { incidentHref } from '../../src/lib/address'
import { browser, serverFor } from '../harness'
import { start } from '../server'

const dir = join(import.meta.dirname, '../../../docs/images')
const job = 'clickstream-sessions'

describe.runIf(process.env['README_IMAGES'])('README', () => {
  const server = serverFor(start)
  let page: Page

  beforeAll(async () => {
    mkdirSync(dir, { recursive: true })
    const context = await browser.newContext({ viewport: { width: 1280, height: 1100 }, colorScheme: 'light', locale: 'en-GB', timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone })
    page = await context.newPage()
  })

  /** The page down to where its content ends, at most so high. */
  const shoot = async (name: string, most: number): Promise<void> => {
    await page.waitForLoadState('networkidle')
    await page.waitForTimeout(800)
    const height = await page.evaluate(() => Math.ceil(document.querySelector('main')?.getBoundingClientRect().bottom ?? 0) + 8)
    await page.screenshot({ path: join(dir, name), clip: { x: 0, y: 0, width: 1280, height: Math.min(height, most) }, fullPage: true })
  }

  test('incident.png', async () => {
    const res = await fetch(`${server.url}/api/v1/incidents?start=now-7d&job=${job}`)
    const { items } = (await res.json()) as IncidentList
    const incident = items.find((i) => i.diagnosis.explained)
    expect(incident).toBeDefined()
    await page.goto(server.url + incidentHref(incident?.id ?? ''))
    await page.locator('.chain').waitFor()
    await page.locator('.tl-bar').first().waitFor()
    await shoot('incident.png', 1000)
  })

  test('logs.png', async () => {
    await page.setViewportSize({ width: 1280, height: 680 })
    await page.goto(`${server.url}/logs?namespace=flink-prod&pod=${job}-taskmanager-1-2`)
    await page.locator('.record').first().waitFor()
    await page.locator('.bars svg rect').first().waitFor()
    await shoot('logs.png', 680)
  })
})

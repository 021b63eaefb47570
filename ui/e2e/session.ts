import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'

/** A page that remembers what went wrong in it. */
export interface Session {
  page: Page
  errors: string[]
  close: () => Promise<void>
}

// The demo's last night is that of the machine: after midnight another zone's may be the next one.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

export async function session(browser: Browser, options: BrowserContextOptions = {}): Promise<Session> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: zone, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const errors: string[] = []
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') errors.push(`${m.text()} (${m.location().url})`) })
  page.on('pageerror', (e) => errors.push(String(e)))
  page.on('dialog', (d) => { errors.push(`dialog: ${d.message()}`); void d.dismiss() })
  return { page, errors, close: () => context.close() }
}

/** True if the element is within the part of the list that is in sight. */
export async function inSight(page: Page, selector: string): Promise<boolean> {
  return page.evaluate((s) => {
    const el = document.querySelector(s)?.getBoundingClientRect()
    const box = document.querySelector('.records')?.getBoundingClientRect()
    return !!el && !!box && el.top >= box.top - 1 && el.top < box.bottom
  }, selector)
}

export async function noOverflow(page: Page, what: string): Promise<void> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  expect(wide, `${what} is wider than the window`).toBeLessThanOrEqual(0)
}

/** Waits until the page asks for nothing more; one with a live tail always does. */
export async function idle(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle', { timeout: 4000 }).catch(() => undefined)
}

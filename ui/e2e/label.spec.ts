// The labeling console, with the keyboard alone: label, review, undo, merge and split; and what labels explain, old and new.

import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Incident, IncidentList, MergeList, Queue, TemplateDetail } from '../src/api/types'
import { browser, iAm, json, page, pageForEach, s, serverFor } from './harness'
import { failingNamespace, failJob } from './otlp'
import { start } from './server'
import { session } from './session'

const server = serverFor(start)
pageForEach()

const minute = 60_000
const lampIncidents = (): Promise<Incident[]> => json<IncidentList>(`/api/v1/incidents?start=now-7d&namespace=${failingNamespace}`).then((l) => l.items)

/** Goes to the form of the template in the queue by keys: the queue is walked with j and k, Enter chooses. */
async function choose(p: Page, id: string): Promise<void> {
  await p.locator(`.queue [data-item="${id}"]`).waitFor()
  const above = await p.evaluate((item) => {
    const all = [...document.querySelectorAll('.queue [data-item]')]
    return all.findIndex((el) => el.contains(document.activeElement)) > all.findIndex((el) => el.getAttribute('data-item') === item)
  }, id)
  for (let i = 0; i < 60; i++) {
    await p.keyboard.press(above ? 'k' : 'j')
    if (await p.evaluate((item) => !!document.activeElement?.closest(`.queue [data-item="${item}"]`), id)) break
  }
  await p.keyboard.press('Enter')
  await p.locator(`.queue [data-item="${id}"].current`).waitFor()
}

test('a template is labeled by the keyboard alone, a second person approves, and an older incident is explained by it', async () => {
  const queue = await json<Queue>('/api/v1/queue?kind=template')
  const item = queue.items[0]
  const incident = item?.incidents[0]?.id ?? ''
  await page.goto(`${server.url}/label`)
  await page.locator('.label-what').waitFor()
  const before = await page.locator('.label-what').innerText()
  await page.keyboard.press('l')
  await page.keyboard.type('licence-expired')
  await page.keyboard.press('Tab')
  await page.keyboard.type('The licence <img src=x> has run out')
  await page.keyboard.press('Tab')
  await page.keyboard.type('Order a new licence.')
  await page.keyboard.press('Control+Enter')
  // Labels bear a name: nobody said one yet.
  await page.getByRole('dialog', { name: 'Who are you?' }).waitFor()
  await page.keyboard.type('Anna')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Anna' }).waitFor()
  await page.getByRole('textbox', { name: 'Advice' }).focus()
  await page.keyboard.press('Control+Enter')
  await page.getByText(/^Proposed “The licence <img src=x> has run out”/).waitFor()
  await expect.poll(() => page.locator('.label-what').innerText()).not.toBe(before)

  const other = await session(browser)
  await other.page.goto(`${server.url}/label?queue=review`)
  await other.page.getByRole('button', { name: 'Who are you?' }).click()
  await other.page.getByRole('textbox', { name: 'Your name' }).focus()
  await other.page.keyboard.type('Boris')
  await other.page.keyboard.press('Enter')
  await other.page.getByRole('button', { name: 'Boris' }).waitFor()
  await other.page.getByRole('button', { name: /The licence/ }).waitFor()
  await other.page.keyboard.press('Escape')
  await other.page.evaluate(() => (document.activeElement as HTMLElement).blur())
  await other.page.keyboard.press('j')
  await other.page.keyboard.press('a')
  await other.page.getByText('1 approved').waitFor()
  await other.page.goto(`${server.url}/incidents/${incident}`)
  await other.page.getByText(/From the label of Anna \(approved\)/).waitFor()
  expect(await other.page.locator('h1').innerText()).toBe('The licence <img src=x> has run out')
  expect(await other.page.locator('h1 img').count()).toBe(0)

  // Was this right? The answer is kept with a name.
  await other.page.getByRole('button', { name: 'Yes' }).click()
  await other.page.getByText('Boris: right').waitFor()
  // History, and back to what was.
  await other.page.goto(`${server.url}/label?queue=labels`)
  await other.page.getByRole('button', { name: /The licence/ }).click()
  await other.page.getByRole('heading', { name: 'History' }).waitFor()
  await expect.poll(() => other.page.locator('.label-list ol li').count()).toBeGreaterThan(1)
  await other.page.getByRole('button', { name: 'Retire' }).click()
  await other.page.getByText('1 retired').waitFor()
  expect(s.errors.filter((e) => !/status of 401/.test(e))).toEqual([])
  expect(other.errors).toEqual([])
  await other.close()
})

test('many are labeled at once, with a preview, and it is undone', async () => {
  await page.goto(`${server.url}/label`)
  await iAm(page, 'Clara')
  await page.locator('.queue li').nth(3).waitFor()
  for (const n of [1, 2]) await page.locator('.queue li').nth(n).getByRole('checkbox').check()
  await page.getByRole('combobox', { name: 'Cause' }).fill('user-code-exception')
  await page.getByRole('textbox', { name: 'Root cause in one line' }).fill('Both of them')
  await page.getByRole('button', { name: 'Preview' }).click()
  await page.getByText(/of the last 90 days would be explained by it/).waitFor()
  await page.getByRole('button', { name: 'Label 2 and next' }).click()
  await page.getByText('Proposed 2 labels').waitFor()
  await page.getByRole('button', { name: /Undo/ }).click()
  await page.getByText('Undone: the label is retired').waitFor()
  expect(s.errors).toEqual([])
})

test('a label explains an incident that arrives while somebody looks, and tells what people said of one like it', { timeout: 120_000 }, async () => {
  const now = Date.now()
  await failJob(server.url, 'lamps-a', 'a1'.repeat(16), now - 120 * minute)
  await expect.poll(async () => (await lampIncidents()).length, { timeout: 30_000 }).toBe(1)
  const [first] = await lampIncidents()
  expect(first?.diagnosis.explained).toBe(false)
  // The template of its failure is in the queue.
  const find = async (): Promise<string> => {
    const { items } = await json<Queue>('/api/v1/queue?kind=template&limit=100')
    return items.find((i) => i.title.startsWith('Source: lamps') && i.incidents.some((x) => x.id === first?.id))?.id ?? ''
  }
  await expect.poll(find, { timeout: 20_000 }).not.toBe('')
  const id = await find()
  await page.goto(`${server.url}/label`)
  await iAm(page, 'Anna')
  await choose(page, id)
  await page.getByRole('heading', { name: /Where and when/ }).waitFor()
  expect(await page.locator('.label-item').innerText()).toContain('lamps-a')
  await page.keyboard.press('l')
  await page.keyboard.type('lantern-seal')
  await page.keyboard.press('Tab')
  await page.keyboard.type('The seal of the lanterns is broken')
  await page.keyboard.press('Tab')
  await page.keyboard.type('Renew the seal, then restart.')
  await page.keyboard.press('Escape')
  await page.keyboard.press('p')
  await page.getByText(/1 incident of the last 90 days would be explained by it/).waitFor()
  await page.getByRole('textbox', { name: 'Advice' }).focus()
  await page.keyboard.press('Control+Enter')
  await page.getByText(/^Proposed “The seal of the lanterns is broken”/).waitFor()

  const other = await session(browser)
  await other.page.goto(`${server.url}/label?queue=review`)
  await iAm(other.page, 'Boris')
  await other.page.getByRole('button', { name: /The seal of the lanterns/ }).focus()
  await other.page.keyboard.press('a')
  await other.page.getByText('1 approved').waitFor()
  await other.page.goto(`${server.url}/incidents/${first?.id ?? ''}`)
  await other.page.getByRole('heading', { level: 1, name: 'The seal of the lanterns is broken' }).waitFor()
  await other.page.getByRole('button', { name: 'Yes' }).click()
  await other.page.getByText('Boris: right').waitFor()
  await other.close()

  // Somebody looks at the last day when the next job fails in the same way.
  await page.goto(`${server.url}/?range=24h&namespace=${failingNamespace}`)
  await page.locator('.incident').first().waitFor()
  expect(await page.locator('.incident').count()).toBe(1)
  await failJob(server.url, 'lamps-b', 'b2'.repeat(16), Date.now() - minute)
  const arrived = page.locator('.incident', { hasText: 'lamps-b' })
  await arrived.getByText(/said by Anna \(approved\)/).waitFor({ timeout: 40_000 })
  await arrived.getByRole('link', { name: /lamps-b/ }).first().click()
  await page.getByRole('heading', { level: 1, name: 'The seal of the lanterns is broken' }).waitFor()
  const like = page.getByRole('region', { name: 'Similar incidents' })
  await like.getByRole('link', { name: /lamps-a/ }).waitFor()
  await like.getByText('Boris: right').waitFor()
  expect(await like.innerText()).toContain('Renew the seal, then restart.')
  expect(s.errors).toEqual([])
})

test('templates are merged and split by keys, with a preview, and it is undone', { timeout: 120_000 }, async () => {
  const { items } = await json<Queue>('/api/v1/queue?kind=template&limit=100')
  const mine = items.filter((i) => i.title.includes('switched from RUNNING to FAILED'))
  const [into, from] = mine as [Queue['items'][number], Queue['items'][number]]
  await page.goto(`${server.url}/label`)
  await iAm(page, 'Clara')
  // The other one is chosen with x, then this one is merged with it.
  await choose(page, from.id)
  await page.keyboard.press('x')
  await choose(page, into.id)
  await page.getByRole('heading', { name: 'Is it one template?' }).waitFor()
  await page.keyboard.press('m')
  await expect.poll(() => page.getByRole('form', { name: 'Merge' }).getByRole('textbox').inputValue()).toBe(from.id)
  await page.keyboard.press('Enter')
  await page.getByText(/incidents?, \d+ labels?/).waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('Merged. It can be undone under Merges.').waitFor()
  expect((await json<TemplateDetail>(`/api/v1/templates/${into.id}`)).aliases).toContain(from.id)

  const template = await json<TemplateDetail>(`/api/v1/templates/${into.id}`)
  const part = template.text.replace('<*>', '1/1')
  await page.goto(`${server.url}/label?template=${into.id}`)
  await page.getByRole('heading', { name: 'Is it one template?' }).waitFor()
  await page.keyboard.press('t')
  const box = page.getByRole('form', { name: 'Split' }).getByRole('textbox')
  await expect.poll(() => box.evaluate((el) => el === document.activeElement)).toBe(true)
  await page.keyboard.press('Control+a')
  await page.keyboard.type(part)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText(/incidents?, \d+ labels?/).waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('Split. It can be undone under Merges.').waitFor()

  await page.goto(`${server.url}/label?queue=merges`)
  await page.locator('.label-list li').nth(1).waitFor()
  for (const left of [1, 0]) {
    await page.getByRole('button', { name: 'Undo' }).first().focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.getByRole('button', { name: 'Undo' }).count()).toBe(left)
  }
  expect((await json<MergeList>('/api/v1/merges')).items.every((m) => m.undone)).toBe(true)
  expect((await json<TemplateDetail>(`/api/v1/templates/${into.id}`)).aliases).not.toContain(from.id)
  expect(s.errors).toEqual([])
})

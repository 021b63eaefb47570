/** Puts text on the clipboard; false if the browser does not let us. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Without TLS and not on localhost there is no clipboard but the old one.
    const box = document.createElement('textarea')
    box.value = text
    box.className = 'off-screen'
    document.body.append(box)
    box.select()
    const ok = document.execCommand('copy')
    box.remove()
    return ok
  }
}

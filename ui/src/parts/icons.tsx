// Own drawings, 16 by 16, in the colour of the text. They stand beside words and never alone.

const paths = {
  alert: 'M8 1.5 15 14H1L8 1.5Zm0 4.5v4m0 1.6v.9',
  check: 'M2.5 8.5 6.5 12.5 13.5 4',
  open: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 3v3.4l2.3 1.6',
  cross: 'M3.5 3.5l9 9m0-9-9 9',
  hand: 'M3 8h10M9 4l4 4-4 4',
  question: 'M5.5 5.8a2.5 2.5 0 1 1 3.6 2.3C8.3 8.5 8 9 8 10m0 2v.8',
  none: 'M4 8h8',
  link: 'M6.8 9.2 9.2 6.8M7 4.5l1.6-1.6a3 3 0 0 1 4.3 4.3L11.4 8.8M9 11.5l-1.6 1.6a3 3 0 0 1-4.3-4.3l1.5-1.6',
  copy: 'M5.5 5.5h8v8h-8zM2.5 10.5v-8h8',
  down: 'M8 2v8m0 0 3.2-3.2M8 10 4.8 6.8M2.5 13.5h11',
  theme: 'M8 2a6 6 0 1 0 0 12V2Z',
  log: 'M3 3.5h10M3 6.5h7M3 9.5h10M3 12.5h5',
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false">
      <path d={paths[name]} fill={name === 'theme' ? 'currentColor' : 'none'} stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  )
}

import { defineConfig } from 'vite'

// `npm run dev` serves the UI from source and asks a running server for the data.
const server = process.env['LASTNIGHT_SERVER'] ?? 'http://127.0.0.1:7077'

export default defineConfig({
  build: {
    target: 'es2022',
    // Everything is a file of its own: the content security policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': { target: server, changeOrigin: true } } },
})

// The build has to run under a Content-Security-Policy without inline scripts, blobs or other hosts: every
// worker, font and chunk is therefore a file of its own under /playground/.
import { defineConfig } from 'vite';

const jsonc = '/src/jsonc-format.ts';

export default defineConfig({
  base: '/playground/',
  resolve: {
    alias: {
      // GraphiQL loads all of Babel to indent the variables; a few lines of jsonc-parser do that too.
      'prettier/plugins/estree': jsonc,
      'prettier/parser-babel': jsonc,
      // The same plugin under its old name: without this it is bundled twice.
      'prettier/parser-graphql': 'prettier/plugins/graphql',
    },
  },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Monaco is one large chunk by nature; it loads after the page is there.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      // Libraries mark modules for server components, which mean nothing here: two hundred warnings.
      onLog: (level, log, report) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  // `npm run dev` beside a running `denizen serve`.
  server: { proxy: { '/graphql': 'http://127.0.0.1:8080' } },
});

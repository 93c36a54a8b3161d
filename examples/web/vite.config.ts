// The page and the API share one origin, in development as behind a reverse proxy: so there is no CORS to set up.
//   DENIZEN_URL  where Denizen listens (default: http://127.0.0.1:8080)
import { defineConfig } from 'vite';

const proxy = { '/graphql': { target: process.env.DENIZEN_URL ?? 'http://127.0.0.1:8080', ws: true } };

export default defineConfig({
  build: { target: 'es2022' },
  server: { proxy },
  preview: { proxy },
});

// Owns the start of the page: the styles in the order in which they overrule each other, and the mount.
import './workers';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './styles/palette.css';
import './styles/page.css';
import './styles/graphiql.css';
import './styles/answer.css';
import './styles/narrow.css';
import { createRoot } from 'react-dom/client';
import { Playground } from './Playground';

const root = document.getElementById('root');
if (root) createRoot(root).render(<Playground />);

// Owns the indentation of variables and headers: a Prettier plugin for the one parser that GraphiQL asks for.
// It stands in for Prettier's Babel (see vite.config.ts), which is forty times its size.
import { applyEdits, format } from 'jsonc-parser';

interface Text {
  text: string;
}

export const parsers = {
  jsonc: {
    parse: (text: string): Text => ({ text }),
    astFormat: 'jsonc-text',
    locStart: () => 0,
    locEnd: (node: Text) => node.text.length,
  },
};

export const printers = {
  'jsonc-text': {
    print({ node }: { node: Text }): string {
      return applyEdits(node.text, format(node.text, undefined, { insertSpaces: true, tabSize: 2 }));
    },
  },
};

// Owns the look inside the editors. GraphiQL names its two Monaco themes and picks one; here they are redefined
// to go with styles/palette.css, as Monaco cannot read custom properties.
import type * as Monaco from 'monaco-editor';

type Shade = 'dark' | 'light';

const accent = { dark: '#4fd1bd', light: '#0f6b62' };
const surface = { dark: '#171d26', light: '#ffffff' };
const tint = { dark: '#4fd1bd22', light: '#0f6b6218' };
const faint = { dark: '#b9c6d611', light: '#3b4b6811' };
const none = '#ffffff00';

const tokens = {
  dark: {
    comment: '7f8c9d', keyword: '8ab4ff', type: '4fd1bd', argument: 'c4a7ff',
    string: 'f0b27a', number: '8fd694', key: '9fd3ff', field: 'e4e9f0', mark: '9aa7b6',
  },
  light: {
    comment: '667085', keyword: '2350a8', type: '0f6b62', argument: '6b3fa0',
    string: '9a4a08', number: '1f7a3a', key: '1d4f91', field: '1d2939', mark: '52606f',
  },
} satisfies Record<Shade, Record<string, string>>;

function colors(shade: Shade): Record<string, string> {
  const primary = accent[shade];
  return {
    'editor.background': none,
    'editorGutter.background': none,
    'editorLineNumber.foreground': shade === 'dark' ? '#5b6777' : '#98a2b3',
    'scrollbar.shadow': none,
    'textLink.foreground': primary,
    'textLink.activeForeground': primary,
    'editorLink.activeForeground': primary,
    'editorHoverWidget.background': surface[shade],
    'list.hoverBackground': tint[shade],
    'list.highlightForeground': primary,
    'list.focusHighlightForeground': primary,
    'menu.background': surface[shade],
    'menu.selectionBackground': tint[shade],
    'menu.selectionForeground': primary,
    'editorSuggestWidget.background': surface[shade],
    'editorSuggestWidget.selectedBackground': tint[shade],
    'editorSuggestWidget.selectedForeground': primary,
    'editorWidget.background': surface[shade],
    'editorWidget.resizeBorder': primary,
    'quickInput.background': surface[shade],
    'quickInputList.focusBackground': tint[shade],
    'quickInputList.focusForeground': primary,
    'pickerGroup.foreground': primary,
    'input.background': faint[shade],
    'toolbar.hoverBackground': tint[shade],
    'inputOption.hoverBackground': tint[shade],
    // One colour for every depth of brackets: the indentation says enough.
    ...Object.fromEntries([1, 2, 3].map((n) => [`editorBracketHighlight.foreground${n}`, `#${tokens[shade].mark}`])),
    focusBorder: primary,
  };
}

function rules(shade: Shade) {
  const hue = tokens[shade];
  return [
    { token: 'comment', foreground: hue.comment, fontStyle: 'italic' },
    { token: 'keyword', foreground: hue.keyword },
    { token: 'key.identifier.gql', foreground: hue.field },
    { token: 'delimiter', foreground: hue.mark },
    { token: 'type.identifier.gql', foreground: hue.type },
    { token: 'argument.identifier.gql', foreground: hue.argument },
    { token: 'string', foreground: hue.string },
    { token: 'string.value.json', foreground: hue.string },
    { token: 'string.key.json', foreground: hue.key },
    { token: 'number', foreground: hue.number },
    { token: 'keyword.json', foreground: hue.argument },
  ];
}

export function applyThemes(monaco: typeof Monaco): void {
  monaco.editor.defineTheme('graphiql-DARK', {
    base: 'vs-dark', inherit: true, colors: colors('dark'), rules: rules('dark'),
  });
  monaco.editor.defineTheme('graphiql-LIGHT', {
    base: 'vs', inherit: true, colors: colors('light'), rules: rules('light'),
  });
}

export const editorOptions: Monaco.editor.IEditorOptions = { fontSize: 14, lineHeight: 21, wordWrap: 'on' };

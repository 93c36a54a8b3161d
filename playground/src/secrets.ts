// Owns which inputs are secrets, and how operations and their variables are written down without them. What counts is
// the name of the input: the page cannot know a password by its looks.
import { parseTree, stripComments, type Node, type ParseError } from 'jsonc-parser';
import { Kind, parse, visit, type ASTNode, type ValueNode } from 'graphql';

const SECRET = /password|token|secret|proof|authorization|^(passkey|apiKey|extensionKey)$/i;

/** A secret in text that cannot be read as a document or as JSON: its name, and behind it a string. */
const SECRET_STRING =
  /((?:password|token|secret|proof|authorization|passkey|apikey|extensionkey|code)\w*"?\s*[:=]\s*)(?:"""[^]*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?)/gi;

/** As above, without `code`: that is also what organisations and roles are called by. */
const NAMED_SECRET_STRING = new RegExp(SECRET_STRING.source.replace('|code)', ')'), 'gi');

const EMPTY = '""';

/** A `code` directly in an input proves something; a `code` of an organisation, a role or a model is its name. */
function isSecret(name: string, parent: string | undefined): boolean {
  return SECRET.test(name) || (name === 'code' && (parent === undefined || parent === 'input'));
}

interface Range {
  start: number;
  end: number;
}

function blank(text: string, ranges: Range[]): string {
  return ranges
    .toSorted((left, right) => right.start - left.start)
    .reduce((rest, { start, end }) => rest.slice(0, start) + EMPTY + rest.slice(end), text);
}

/** Variables or headers, as JSON with comments. */
export function jsonWithoutSecrets(text: string): string {
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  if (!tree || errors.length > 0) return text.replace(SECRET_STRING, `$1${EMPTY}`);
  const ranges: Range[] = [];
  collect(tree, undefined, ranges);
  const blanked = blank(text, ranges);
  // Only a comment can still hold one.
  return blanked.replace(NAMED_SECRET_STRING, `$1${EMPTY}`) === blanked ? blanked : stripComments(blanked);
}

function collect(node: Node, parent: string | undefined, ranges: Range[]): void {
  if (node.type !== 'property') {
    for (const child of node.children ?? []) collect(child, parent, ranges);
    return;
  }
  const [key, value] = node.children ?? [];
  if (!key || !value) return;
  const name = String(key.value);
  if (!isSecret(name, parent)) collect(value, name, ranges);
  else if (value.type !== 'null') ranges.push({ start: value.offset, end: value.offset + value.length });
}

/** A GraphQL document: what stands in it as a literal, as `login(input: { password: "…" })`. */
export function documentWithoutSecrets(text: string): string {
  const ranges: Range[] = [];
  const take = (name: string, parent: string | undefined, value: ValueNode) => {
    const isLiteral = value.kind !== Kind.VARIABLE && value.kind !== Kind.NULL && value.kind !== Kind.ENUM;
    if (!isLiteral || !value.loc || !isSecret(name, parent)) return undefined;
    ranges.push(value.loc);
    return false;
  };
  try {
    visit(parse(text), {
      Argument: ({ name, value }) => take(name.value, undefined, value),
      ObjectField: ({ name, value }, _key, _parent, _path, ancestors) => take(name.value, ownerOf(ancestors), value),
      VariableDefinition: ({ variable, defaultValue }) =>
        defaultValue ? take(variable.name.value, undefined, defaultValue) : undefined,
    });
  } catch {
    return text.replace(SECRET_STRING, `$1${EMPTY}`);
  }
  return blank(text, ranges).replace(NAMED_SECRET_STRING, `$1${EMPTY}`);
}

/** The name of the argument, field or variable whose value an object is. */
function ownerOf(ancestors: readonly (ASTNode | readonly ASTNode[])[]): string | undefined {
  const nodes = ancestors.filter((each): each is ASTNode => !Array.isArray(each));
  const owner = nodes.findLast(
    (node) =>
      node.kind === Kind.ARGUMENT || node.kind === Kind.OBJECT_FIELD || node.kind === Kind.VARIABLE_DEFINITION,
  );
  if (owner?.kind === Kind.VARIABLE_DEFINITION) return owner.variable.name.value;
  return owner?.kind === Kind.ARGUMENT || owner?.kind === Kind.OBJECT_FIELD ? owner.name.value : undefined;
}

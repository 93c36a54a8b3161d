// Owns what is said of a dry run that would succeed: what the same mutation does without `dryRun`, from its name and its
// variables.
import type { FetcherParams } from '@graphiql/toolkit';
import { getOperationAST, Kind, parse, valueFromASTUntyped, type ExecutionResult, type FieldNode } from 'graphql';

interface Names {
  verb: string;
  one: string;
  many: string;
}

const NAMES: Record<string, Names> = {
  upsertOrganizations: { verb: 'create or change', one: 'organisation', many: 'organisations' },
};

/** How many items are called by their names; beyond that their number says enough. */
const MOST_NAMED = 5;

/** One sentence for each field of the operation that was run dry and has nothing to mend. */
export function dryRunSentences(params: FetcherParams, result: ExecutionResult): string[] {
  if (result.errors?.length || !result.data) return [];
  try {
    const operation = getOperationAST(parse(params.query), params.operationName);
    if (operation?.operation !== 'mutation') return [];
    const data = result.data as Record<string, unknown>;
    const fields = operation.selectionSet.selections.filter((each) => each.kind === Kind.FIELD);
    return fields.flatMap((field) => {
      const input = dryInput(field, params.variables as Record<string, unknown> | undefined);
      const payload = data[field.alias?.value ?? field.name.value];
      return input && succeeded(payload) ? [sentence(field.name.value, input)] : [];
    });
  } catch {
    // Not a document: then nothing was run.
    return [];
  }
}

function dryInput(field: FieldNode, variables: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  for (const { value } of field.arguments ?? []) {
    const input = valueFromASTUntyped(value, variables);
    if (isRecord(input) && input['dryRun'] === true) return input;
  }
  return undefined;
}

/** Only where the errors were asked for, and there are none, is it known. */
function succeeded(payload: unknown): boolean {
  return isRecord(payload) && Array.isArray(payload['errors']) && payload['errors'].length === 0;
}

function sentence(field: string, input: Record<string, unknown>): string {
  const items = Object.values(input).find(Array.isArray) as unknown[] | undefined;
  const { verb, one, many } = NAMES[field] ?? namesFrom(field);
  const count = items?.length ?? 1;
  const called = (items ?? []).map(nameOf);
  const names = called.length <= MOST_NAMED && called.every((name) => name !== undefined) ? called.join(', ') : '';
  return `Nothing was changed. Without dryRun this would ${verb} ${count} ${count === 1 ? one : many}${names && `: ${names}`}.`;
}

/** `onboardUsers` onboards users. */
function namesFrom(field: string): Names {
  const [verb = field, ...rest] = field.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const many = rest.join(' ') || 'items';
  return { verb: verb === 'upsert' ? 'create or change' : verb, one: many.replace(/s$/, ''), many };
}

function nameOf(item: unknown): string | undefined {
  if (typeof item === 'string') return item;
  if (!isRecord(item)) return undefined;
  const name = item['userName'] ?? item['code'] ?? item['email'] ?? item['name'] ?? item['uuid'] ?? item['id'];
  return typeof name === 'string' ? name : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

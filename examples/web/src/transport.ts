// One request to Denizen, and its answer as it came.
export interface Answer<Data> {
  data?: Data | null;
  errors?: readonly AnswerError[];
}

interface AnswerError {
  message: string;
  extensions?: { code?: string; retryAfterSeconds?: number };
}

export async function send<Data>(query: string, variables: unknown, token: string | null): Promise<Answer<Data>> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json',
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  }).catch(() => null);
  const answer = (await response?.json().catch(() => null)) as Answer<Data> | null | undefined;
  return answer ?? { errors: [{ message: 'The service does not answer. Try again in a moment.' }] };
}

// A form whose faults come from Denizen: each error stands at the field that its path names, the rest above the button.
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { explain } from './useQuery';

/** As every payload has them. */
export interface UserError {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
  readonly retryAfterSeconds?: number | null;
}

export interface FieldSpec {
  /** As in the input of the mutation: errors are found by it. */
  name: string;
  label: string;
  type?: 'text' | 'email' | 'password' | 'url';
  autoComplete?: string;
  hint?: string;
  value?: string | null;
  optional?: true;
  choices?: readonly string[];
}

interface FormProps {
  fields: readonly FieldSpec[];
  submit: string;
  /** Sends the values; answers with what is to be mended. */
  onSubmit: (values: Record<string, string>) => Promise<readonly UserError[]>;
  children?: ReactNode;
}

export function Form({ fields, submit, onSubmit, children }: FormProps) {
  const [busy, setBusy] = useState(false);
  const [errors, setErrors] = useState<readonly UserError[]>([]);

  const names = new Set(fields.map(({ name }) => name));
  const fieldOf = ({ path }: UserError) => path.findLast((step) => names.has(step));
  const general = errors.filter((error) => !fieldOf(error));

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    setBusy(true);
    setErrors(await onSubmit(values).catch((error: unknown) => [{ code: 'INTERNAL', message: explain(error), path: [] }]));
    setBusy(false);
  }

  return (
    <form onSubmit={(event) => void send(event)} noValidate>
      {fields.map((field) => (
        <Field key={field.name} field={field} errors={errors.filter((error) => fieldOf(error) === field.name)} />
      ))}
      {general.length > 0 && (
        <div role="alert" className="problem">
          {general.map(({ message }) => (
            <p key={message}>{message}</p>
          ))}
        </div>
      )}
      <div className="actions">
        <button type="submit" disabled={busy}>
          {submit}
        </button>
        {children}
      </div>
    </form>
  );
}

function Field({ field, errors }: { field: FieldSpec; errors: readonly UserError[] }) {
  const { name, label, type = 'text', autoComplete = 'off', hint, value, optional, choices } = field;
  const id = useId();
  const about = `${id}-about`;
  const common = {
    id,
    name,
    defaultValue: value ?? '',
    'aria-invalid': errors.length > 0,
    'aria-describedby': errors.length > 0 || hint ? about : undefined,
  };
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {optional && <small> (optional)</small>}
      </label>
      {choices ? (
        <select {...common} defaultValue={value ?? choices[0]}>
          {choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input {...common} type={type} autoComplete={autoComplete} autoCapitalize="none" />
      )}
      <div id={about}>
        {errors.map(({ message }) => (
          <p key={message} className="problem">
            {message}
          </p>
        ))}
        {hint && errors.length === 0 && <p className="hint">{hint}</p>}
      </div>
    </div>
  );
}

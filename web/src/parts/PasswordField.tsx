import { PasswordInput, type PasswordInputProps } from "@mantine/core";

/** A new password. The gateway knows which ones many people use. */
export function NewPasswordField(props: PasswordInputProps) {
  return (
    <PasswordInput
      label="Password"
      description="At least 15 characters. Some words that only you would put together are good."
      autoComplete="new-password"
      required
      minLength={15}
      maxLength={256}
      {...visibility}
      {...props}
    />
  );
}

/** The password that somebody has already. */
export function OwnPasswordField(props: PasswordInputProps) {
  return (
    <PasswordInput label="Password" autoComplete="current-password" required {...visibility} {...props} />
  );
}

const visibility = { visibilityToggleButtonProps: { "aria-label": "Show the password", tabIndex: 0 } };

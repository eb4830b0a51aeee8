/** Four staves under one bracket, and one chord through all of them: everybody together. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path class="bracket" d="M6 4v24M6 4q1.5 0 4-2.2M6 28q1.5 0 4 2.2" />
      <path class="staff" d="M11 7h18M11 13h18M11 19h18M11 25h18" />
      {[7, 13, 19, 25].map((y) => (
        <circle key={y} cx="21" cy={y} r="2.3" />
      ))}
    </svg>
  );
}

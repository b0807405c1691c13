/** How a table is drawn: for a terminal or as Markdown. */
export type Style = "text" | "markdown";

export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return style === "markdown" ? `| ${padded.join(" | ")} |` : `  ${padded.join("   ")}`.trimEnd();
  };
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(Math.max(1, width - 1))}:`,
  );
  const divider = style === "markdown" ? [line(rule)] : [];
  return [line(header), ...divider, ...rows.map(line)].join("\n");
}

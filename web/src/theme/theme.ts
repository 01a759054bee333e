import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

// Leaf green of the apricot grove. Steps 7–9 carry white text at 4.5 : 1 or better; 0–3 carry text on dark.
const grove: MantineColorsTuple = [
  "#e6f5f1", "#cfe9e2", "#a3d6ca", "#74c2b0", "#4bac97", "#2b9481", "#157f6d", "#0b6e5f", "#075b4f", "#04483f",
];

// The stock dark greys, tinted to go with the page's own tokens.
const dark: MantineColorsTuple = [
  "#e3eae8", "#c3cecb", "#a3b1ad", "#7f8f8a", "#3a4643", "#303b38", "#222b2a", "#171e1d", "#121817", "#0e1312",
];

export const theme = createTheme({
  primaryColor: "grove",
  primaryShade: 7, // white on it reaches 6 : 1, in both schemes
  colors: { grove, dark },
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono CJK SC", monospace',
  defaultRadius: "sm",
  headings: { fontWeight: "600" },
  focusRing: "auto",
  respectReducedMotion: true,
});

/** Stock grey-on-white for dimmed text, placeholders and errors falls short of 4.5 : 1; these do not. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#ffffff",
    "--mantine-color-text": "#1b2422",
    "--mantine-color-dimmed": "#55625f",
    "--mantine-color-placeholder": "#66726f",
    "--mantine-color-anchor": "#08614f",
    "--mantine-color-default-border": "#c9d3d0",
  },
  dark: {
    "--mantine-color-body": "#171e1d",
    "--mantine-color-text": "#e3eae8",
    "--mantine-color-dimmed": "#a3b1ad",
    "--mantine-color-placeholder": "#97a5a1",
    "--mantine-color-anchor": "#74d0bb",
    "--mantine-color-default": "#1c2423",
    "--mantine-color-default-border": "#3a4643",
  },
});

/** A dialog's head is no landmark of the page, though it is a <header>. */
export const NO_BANNER = { header: { role: "presentation" } };

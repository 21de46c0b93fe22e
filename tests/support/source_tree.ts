/**
 * What the files in src import, export and hold, as Deno's own parser reads them.
 *
 * @module
 */

/** The folder of the program's source. */
export const SRC = new URL("../../src/", import.meta.url);

/** Something that a file declares and exports. */
export interface SourceExport {
  readonly name: string;
  /** Whether a TSDoc comment stands before it. */
  readonly isDocumented: boolean;
}

/** A function, method or arrow function. */
export interface SourceFunction {
  /** Its name, or that of what holds it, with the number of its first line. */
  readonly name: string;
  /** From its first line to its closing brace, comments and blank lines included. */
  readonly lines: number;
}

/** A file of src. */
export interface SourceFile {
  /** The folder directly below src, "" for a file in src itself. */
  readonly module: string;
  /** Relative to src. */
  readonly path: string;
  readonly text: string;
  /** The files of src that it imports, for values or for types, relative to src. */
  readonly imports: readonly string[];
  readonly exports: readonly SourceExport[];
  readonly functions: readonly SourceFunction[];
}

type AnyFunction =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

/** Reads every TypeScript and JavaScript file of src but declarations (`.d.ts`), by path. */
export function readSourceTree(): SourceFile[] {
  const files: SourceFile[] = [];
  const walk = (prefix: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(prefix, SRC))) {
      const path = `${prefix}${name}`;
      if (isDirectory) walk(`${path}/`);
      else if (/\.(tsx?|js)$/.test(name) && !name.endsWith(".d.ts")) files.push(readFile(path));
    }
  };
  walk("");
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function readFile(path: string): SourceFile {
  const text = Deno.readTextFileSync(new URL(path, SRC));
  const module = path.includes("/") ? path.split("/")[0]! : "";
  return { module, path, text, ...parse(path, text) };
}

function parse(path: string, text: string): Pick<SourceFile, "imports" | "exports" | "functions"> {
  const imports: string[] = [];
  const exports: SourceExport[] = [];
  const functions: SourceFunction[] = [];
  const addImport = (source: string) => {
    const target = new URL(source, new URL(path, SRC)).href;
    if (!source.startsWith(".") || !target.startsWith(SRC.href)) return;
    imports.push(target.slice(SRC.href.length));
  };
  const create = ({ sourceCode }: Deno.lint.RuleContext): Deno.lint.LintVisitor => {
    const addFunction = (node: AnyFunction) => {
      const lines = sourceCode.getText(node).split("\n").length;
      const line = text.slice(0, node.range[0]).split("\n").length;
      functions.push({ name: `${nameOf(node)} in line ${line}`, lines });
    };
    return {
      ImportDeclaration: (node) => addImport(node.source.value),
      ExportAllDeclaration: (node) => addImport(node.source.value),
      ImportExpression: ({ source }) => {
        if (source.type === "Literal") addImport(String(source.value));
      },
      TSImportType: (node) => {
        const source = /^import\(\s*"([^"]+)"/.exec(sourceCode.getText(node));
        if (source !== null) addImport(source[1]!);
      },
      ExportNamedDeclaration: (node) => {
        if (node.source !== null) {
          addImport(node.source.value);
          return;
        }
        const isDocumented = sourceCode.getCommentsBefore(node).some(({ type, value }) =>
          type === "Block" && value.startsWith("*") && !/\* @module\b/.test(value)
        );
        for (const name of declaredNames(node.declaration)) exports.push({ name, isDocumented });
      },
      FunctionDeclaration: addFunction,
      FunctionExpression: addFunction,
      ArrowFunctionExpression: addFunction,
    };
  };
  Deno.lint.runPlugin({ name: "source-tree", rules: { read: { create } } }, path, text);
  return { imports, exports, functions };
}

function declaredNames(declaration: Deno.lint.ExportNamedDeclaration["declaration"]): string[] {
  if (declaration === null) return [];
  if (declaration.type !== "VariableDeclaration") {
    return "id" in declaration && declaration.id?.type === "Identifier"
      ? [declaration.id.name]
      : [];
  }
  return declaration.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []));
}

function nameOf(node: AnyFunction): string {
  if (node.type === "FunctionDeclaration") return node.id?.name ?? "a function";
  const { parent } = node;
  if (parent.type === "MethodDefinition" || parent.type === "Property") {
    return "name" in parent.key ? parent.key.name : "a method";
  }
  const isNamed = parent.type === "VariableDeclarator" && parent.id.type === "Identifier";
  return isNamed ? (parent.id as Deno.lint.Identifier).name : "a function";
}

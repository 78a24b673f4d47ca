/** Completion scripts for bash, zsh and fish out of the command table. Pure. */
import type { Place, Tree, Word } from "./tree.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type ShellName = (typeof SHELLS)[number];

export const scriptFor = (shell: ShellName, tree: Tree): string => ({ bash, zsh, fish })[shell](tree);

/** Contexts of Kubernetes are asked of kubectl, where there is one, each time. */
const CONTEXTS = "kubectl config get-contexts -o name 2>/dev/null";

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const wordsOf = (words: readonly Word[]): string => words.map(({ word }) => word).join(" ");

/** Descends from word to word as far as they are commands; what is left is a place of the table. */
function descent(places: readonly Place[]): string {
  const steps = places.flatMap(({ path, commands }) =>
    commands.map(({ word }) => quoted(path === "" ? word : `${path} ${word}`)),
  );
  return steps.join("|");
}

function bash({ places, valued, values }: Tree): string {
  const after = places.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) commands=${quoted(wordsOf(commands))}; options=${quoted(wordsOf(options))} ;;`,
  );
  const given = Object.entries(values).map(
    ([option, words]) =>
      `    ${option}) COMPREPLY=($(compgen -W ${quoted(words.join(" "))} -- "$current")); return ;;`,
  );
  return `# hansa completion bash: source it, or put it where bash-completion looks.
_hansa() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local place="" next word commands options index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    next="\${place:+$place }$word"
    case "$next" in
      ${descent(places)}) place="$next" ;;
    esac
  done
  case "$before" in
${given.join("\n")}
    --context) COMPREPLY=($(compgen -W "$(${CONTEXTS})" -- "$current")); return ;;
    ${valued.join("|")}) COMPREPLY=(); return ;;
  esac
  case "$place" in
${after.join("\n")}
  esac
  if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$current"))
  else COMPREPLY=($(compgen -W "$commands" -- "$current")); fi
}
complete -o default -F _hansa hansa
`;
}

/** `commands` and `options` are zsh's own. _describe takes word:description; a colon within is escaped. */
const described = (words: readonly Word[]): string =>
  words
    .map(({ word, summary }) => quoted(`${word.replaceAll(":", "\\:")}:${summary.replaceAll(":", "\\:")}`))
    .join(" ");

function zsh({ places, valued, values }: Tree): string {
  const after = places.map(
    ({ path, commands, options }) =>
      `    ${quoted(path)}) verbs=(${described(commands)}); flags=(${described(options)}) ;;`,
  );
  const given = Object.entries(values).map(
    ([option, words]) => `    ${option}) compadd -- ${words.join(" ")}; return ;;`,
  );
  return `#compdef hansa
# hansa completion zsh: write it to a file _hansa in a folder of fpath, or source it after compinit.
_hansa() {
  local place="" next word index
  local -a verbs flags
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    next="\${place:+$place }$word"
    case "$next" in
      (${descent(places)}) place="$next" ;;
    esac
  done
  case "\${words[CURRENT-1]}" in
${given.join("\n").replaceAll(/^ {4}/gm, "    (")}
    (--context) compadd -- \${(f)"$(${CONTEXTS})"}; _files; return ;;
    (${valued.join("|")}) _files; return ;;
  esac
  case "$place" in
${after.join("\n").replaceAll(/^ {4}/gm, "    (")}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then _describe -o option flags
  elif (( \${#verbs} )); then _describe command verbs
  else _files; fi
}
if [[ "\${funcstack[1]}" == _hansa ]]; then _hansa "$@"; else compdef _hansa hansa; fi
`;
}

function fish({ places, valued, values }: Tree): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const here = `__hansa_at ${quoted(path)}`;
    return [
      ...commands.map(
        ({ word, summary }) => `complete -c hansa -n ${quoted(here)} -f -a ${word} -d ${quoted(summary)}`,
      ),
      ...options.map(({ word, summary }) => fishOption(here, word, summary, valued, values)),
    ];
  });
  return `# hansa completion fish: write it to ~/.config/fish/completions/hansa.fish, or source it.
function __hansa_at --description 'is the command line at this place of the command table'
  set -l place ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$place $word")
    switch "$next"
      case ${descent(places).replaceAll("|", " ")}
        set place "$next"
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function fishOption(
  here: string,
  word: string,
  summary: string,
  valued: readonly string[],
  values: Readonly<Record<string, readonly string[]>>,
): string {
  const name = word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`;
  const given =
    word === "--context" ? `(${CONTEXTS.replace("2>/dev/null", "2> /dev/null")})` : values[word]?.join(" ");
  const value = valued.includes(word) ? " -r" : "";
  const choice = given === undefined ? "" : ` -a ${quoted(given)}`;
  return `complete -c hansa -n ${quoted(here)} ${name}${value}${choice} -d ${quoted(summary)}`;
}

/**
 * A user: who may log in, and what the user may do.
 *
 *      user alice on #5e88… ~users:* &* -@all +@read (~tmp:* +@all)
 *                 │    │       root selector           └─ a selector more
 *                 │    └─ SHA-256 of a password
 *                 └─ may log in
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { latin1Bytes } from "../resp/latin1.ts";
import { lowerCase } from "./command_rights.ts";
import { RULE_ERRORS, Selector } from "./selector.ts";
import { wordsOf } from "./rule_words.ts";

/** A user in plain values, as threads tell each other. Selectors are lists of rules; the first is the root. */
export interface UserRecord {
  readonly name: string;
  /** `on`, `nopass` and so on. */
  readonly flags: readonly string[];
  /** SHA-256, in lower-case hexadecimal digits. */
  readonly passwords: readonly string[];
  readonly selectors: readonly (readonly string[])[];
}

/** Redis's two words for what RESTORE does with a payload; the proxy only keeps them. */
const SANITIZE = ["skip-sanitize-payload", "sanitize-payload"];

/** The hash under which Redis keeps a password, given as bytes or as one character for each of them. */
export function hashAclPassword(password: string | Uint8Array): string {
  const bytes = typeof password === "string" ? latin1Bytes(password) : password;
  return createHash("sha256").update(bytes).digest("hex");
}

/** See the header. */
export class User {
  readonly name: string;
  isOn = false;
  /** Whether any password is right. */
  isNoPass = false;
  passwords: readonly string[] = [];
  selectors: readonly Selector[] = [new Selector()];
  #sanitize = "";
  /** Whether it may do everything: then nothing is checked. */
  isUnrestricted = false;
  /** Counts its changes, so that a transaction can tell whether there were some. */
  version = 0;

  /** Makes a user that may do nothing. */
  constructor(name: string) {
    this.name = name;
  }

  /**
   * The user `default` as Redis makes it: it may do everything, with one of the passwords, or without.
   *
   * @param passwords Of one character for each byte; none or an empty one: no password is needed.
   */
  static byDefault(passwords: readonly string[]): User {
    const user = new User(DEFAULT_USER);
    for (const rule of ["+@all", "~*", "&*", "on"]) user.apply(rule);
    for (const each of passwords) user.apply(each === "" ? "nopass" : `>${each}`);
    if (passwords.length === 0) user.apply("nopass");
    user.isUnrestricted = true;
    return user;
  }

  /** The root selector, whose rules stand outside of parentheses. */
  get root(): Selector {
    return this.selectors[0]!;
  }

  /** Whether clients are this user without AUTH, when it is the default one. */
  get needsNoLogin(): boolean {
    return this.isNoPass && this.isOn;
  }

  /** Whether a password lets a client log in. The time it takes does not depend on the password. */
  accepts(password: Uint8Array): boolean {
    if (!this.isOn) return false;
    if (this.isNoPass) return true;
    const given = latin1Bytes(hashAclPassword(password));
    return this.passwords.reduce(
      (isRight, hash) => timingSafeEqual(given, latin1Bytes(hash)) || isRight,
      false,
    );
  }

  /**
   * Applies a rule, such as `on`, `>password`, `+get` or `(~a +get)`.
   *
   * @returns What is wrong with the rule, in Redis's words; empty when it was applied.
   */
  apply(rule: string): string {
    switch (lowerCase(rule)) {
      case "":
        return "";
      case "on":
      case "off":
        this.isOn = lowerCase(rule) === "on";
        return "";
      case "skip-sanitize-payload":
      case "sanitize-payload":
        this.#sanitize = lowerCase(rule);
        return "";
      case "nopass":
      case "resetpass":
        this.isNoPass = lowerCase(rule) === "nopass";
        this.passwords = [];
        return "";
      case "clearselectors":
        this.selectors = [this.root];
        return "";
      case "reset":
        this.#reset();
        return "";
    }
    if (">#<!".includes(rule[0]!)) return this.#changePassword(rule);
    if (rule.startsWith("(") && rule.endsWith(")")) return this.#addSelector(rule);
    return this.root.apply(rule);
  }

  /**
   * Takes new passwords in place of those it had; others that it has stay. Nothing, if it had none of them. `""`
   * stands for no password.
   */
  replacePasswords(before: readonly string[], now: readonly string[]): void {
    const [old, fresh] = [before, now].map((each) =>
      each.filter((password) => password !== "").map(hashAclPassword)
    ) as [string[], string[]];
    const hadThem = before.includes("")
      ? this.isNoPass
      : this.passwords.some((hash) => old.includes(hash));
    if (!hadThem) return;
    const others = this.passwords.filter((hash) => !old.includes(hash) && !fresh.includes(hash));
    this.isNoPass = now.includes("");
    this.passwords = this.isNoPass ? [] : [...fresh, ...others];
    this.version++;
  }

  #reset(): void {
    this.isOn = this.isNoPass = false;
    this.passwords = [];
    this.#sanitize = "sanitize-payload";
    this.selectors = [new Selector()];
  }

  #changePassword(rule: string): string {
    const isClear = rule[0] === ">" || rule[0] === "<";
    const hash = isClear ? hashAclPassword(rule.slice(1)) : rule.slice(1);
    if (!/^[0-9a-f]{64}$/.test(hash)) return RULE_ERRORS.badHash;
    const isKnown = this.passwords.includes(hash);
    if (rule[0] === ">" || rule[0] === "#") {
      if (!isKnown) this.passwords = [...this.passwords, hash];
      this.isNoPass = false;
      return "";
    }
    if (!isKnown) return RULE_ERRORS.noSuchPassword;
    this.passwords = this.passwords.filter((each) => each !== hash);
    return "";
  }

  #addSelector(rule: string): string {
    const selector = new Selector();
    const words = wordsOf(rule.slice(1, -1));
    if (words === null) return RULE_ERRORS.syntax; // Redis would make an empty selector of it
    for (const each of words) {
      const error = selector.apply(each);
      if (error !== "") return error;
    }
    this.selectors = [...this.selectors, selector];
    return "";
  }

  // -- as text and plain values ---------------------------------------------------------------

  /** `on`, `nopass` and so on, in Redis's order. */
  get flags(): string[] {
    const flags = [this.isOn ? "on" : "off"];
    if (this.isNoPass) flags.push("nopass");
    if (this.#sanitize !== "") flags.push(this.#sanitize);
    return flags;
  }

  /** Its rules in Redis's shortest form, as ACL LIST shows them. */
  describe(): string {
    const [root, ...more] = this.selectors.map((selector) => selector.rules().join(" "));
    const passwords = this.passwords.map((hash) => `#${hash}`);
    return [...this.flags, ...passwords, root, ...more.map((rules) => `(${rules})`)].join(" ");
  }

  /** The line of an ACL file that makes it. */
  line(): string {
    return `user ${this.name} ${this.describe()}`;
  }

  /** All of it in plain values. */
  record(): UserRecord {
    const { name, flags, passwords, selectors } = this;
    return {
      name,
      flags,
      passwords,
      selectors: selectors.map((selector) => selector.exactRules()),
    };
  }

  /** Becomes what a record says; clients that are this user stay so. */
  become({ flags, passwords, selectors }: UserRecord): void {
    this.isOn = flags.includes("on");
    this.isNoPass = flags.includes("nopass");
    this.#sanitize = flags.find((flag) => SANITIZE.includes(flag)) ?? "";
    this.passwords = passwords;
    this.selectors = selectors.map((rules) => {
      const selector = new Selector();
      for (const rule of rules) selector.apply(rule);
      return selector;
    });
    this.isUnrestricted = this.selectors.some((selector) => selector.isUnrestricted);
    this.version++;
  }
}

/** Whose rights a client has that has not logged in. */
export const DEFAULT_USER = "default";

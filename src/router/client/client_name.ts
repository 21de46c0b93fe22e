/**
 * What a client says of itself, by HELLO and CLIENT commands.
 *
 * @module
 */

/** Names and flags of one client. */
export interface ClientSelf {
  readonly name: string;
  readonly libraryName: string;
  readonly libraryVersion: string;
  readonly isNoEvict: boolean;
  readonly isNoTouch: boolean;
}

/** A client that has said nothing yet. */
export const ANONYMOUS: ClientSelf = {
  name: "",
  libraryName: "",
  libraryVersion: "",
  isNoEvict: false,
  isNoTouch: false,
};

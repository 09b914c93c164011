import { textNow } from "../../shared/live-text.js";
import type { LiveText } from "../../shared/live-text.js";

/** The server puts its own catalogue before it. */
const SEARCH_PATH = "-c search_path=public";

/** A DSN whose sessions find nothing in a schema that is named after their role, which somebody else may have made. */
export function ownerDsn(dsn: LiveText): () => string {
  return () => {
    const address = new URL(textNow(dsn));
    const options = [address.searchParams.get("options"), SEARCH_PATH].filter((option) => option !== null);
    address.searchParams.set("options", options.join(" "));
    return address.toString();
  };
}

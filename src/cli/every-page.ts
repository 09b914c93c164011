import type { Connection } from "./operation.js";

const PAGE = 100;

/**
 * Reads a list page by page.
 * @param ask answers with the connection, or with nothing where what has the list is not there, which ends the reading
 */
export async function* everyPage<C extends Pick<Connection<unknown>, "pageInfo">>(
  ask: (page: { first: number; after?: string }) => Promise<C | undefined>,
): AsyncGenerator<C> {
  let after: string | undefined;
  do {
    const connection = await ask({ first: PAGE, after });
    if (!connection) return;
    yield connection;
    const { hasNextPage, endCursor } = connection.pageInfo;
    after = hasNextPage ? (endCursor ?? undefined) : undefined;
  } while (after);
}

/** A hub that lets everybody do everything is for this machine only, unless its owner says otherwise. */
import { LintelError } from "../message/failure.ts";
import { whyExposed, type Lookup } from "../transport/exposure.ts";

/** Rejects with `INSECURE_LISTEN` for an address that other machines may reach. */
export async function refuseExposed(url: string, find?: Lookup): Promise<void> {
  const why = await whyExposed(url, find);
  if (why === undefined) return;
  throw LintelError.of(
    "INSECURE_LISTEN",
    `${why}, and everybody may do everything at this hub, since it has no \`access\`: ` +
      "configure `access`, listen on 127.0.0.1, or set `insecure` to let everybody in",
  );
}

/** What a process has in work at this moment: a consumer over all its partitions, a server over all who send. */

export interface Load {
  requests: number;
  /** Of encoded images. */
  bytes: number;
}

export function noLoad(): Load {
  return { requests: 0, bytes: 0 };
}

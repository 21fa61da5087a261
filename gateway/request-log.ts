import type { FastifyBaseLogger } from 'fastify';

type Make = FastifyBaseLogger['child'];
type Said = Parameters<FastifyBaseLogger['info']>;

/**
 * The logger of one request. Nearly every request says nothing, and to make pino's child for it costs half as much as judging it: so
 * that is made when there is something to say.
 */
class RequestLog {
  private readonly make: () => FastifyBaseLogger;
  private made: FastifyBaseLogger | null = null;

  constructor(make: () => FastifyBaseLogger) {
    this.make = make;
  }

  private get log(): FastifyBaseLogger {
    this.made ??= this.make();
    return this.made;
  }

  get level() {
    return this.log.level;
  }
  fatal(...said: Said) {
    this.log.fatal(...said);
  }
  error(...said: Said) {
    this.log.error(...said);
  }
  warn(...said: Said) {
    this.log.warn(...said);
  }
  info(...said: Said) {
    this.log.info(...said);
  }
  debug(...said: Said) {
    this.log.debug(...said);
  }
  trace(...said: Said) {
    this.log.trace(...said);
  }
  silent(...said: Said) {
    this.log.silent(...said);
  }
  child(...given: Parameters<Make>) {
    return this.log.child(...given);
  }
}

/** For Fastify's `childLoggerFactory`. */
export const requestLog = (parent: FastifyBaseLogger, ...given: Parameters<Make>): FastifyBaseLogger =>
  new RequestLog(() => parent.child(...given));

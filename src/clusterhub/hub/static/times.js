// Times in the person's own time zone and language, and lengths of time that go on.

const languages = () => document.documentElement.lang || undefined;

const onSameDay = (one, other) => one.toDateString() === other.toDateString();

/** A moment as people say it: the day only where it is another one than today. */
export const moment = (date, seconds = false) => {
  const clock = { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) };
  const day = onSameDay(date, new Date()) ? {} : { weekday: "short", day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(languages(), { ...day, ...clock, hourCycle: "h23" }).format(date);
};

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** How far ahead something is, in words such as "in 12 minutes". */
export const ahead = (seconds) => {
  const [unit, length] = UNITS.find(([, size]) => seconds >= 2 * size) ?? ["minute", 60];
  const count = Math.max(1, Math.round(seconds / length));
  return new Intl.RelativeTimeFormat(languages(), { numeric: "always" }).format(count, unit);
};

/** A length of time as a clock shows it: 0:07, 1:02:30. */
export const length = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};

/** Each `<time datetime="...">` of a page, which the hub writes in its own time zone, in the person's. */
export const localize = (root) => {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const date = new Date(element.dateTime);
    if (!Number.isNaN(date.valueOf())) {
      element.textContent = moment(date, "seconds" in element.dataset);
    }
  }
};

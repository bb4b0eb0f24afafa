import { Problem } from "../api/problem";

/** What the gateway takes as it is. */
export const KINDS = ["image/jpeg", "image/png", "image/webp"];
/** Larger than any size that is made of it, and small enough for a slow line. */
const SIDE_MAX_PX = 2880;
const AS_IT_IS_MAX_BYTES = 3 * 1024 * 1024;
const QUALITY = 0.92;

/** The file as it is where that is small enough, or smaller. It may then be of any kind that the browser reads. */
export async function fitted(file: File): Promise<Blob> {
  const picture = await read(file);
  const scale = Math.min(1, SIDE_MAX_PX / Math.max(picture.width, picture.height));
  if (scale === 1 && KINDS.includes(file.type) && file.size <= AS_IT_IS_MAX_BYTES) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const paper = canvas.getContext("2d");
  if (!paper) throw unreadable();
  paper.fillStyle = "#ffffff";
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(unreadable())), "image/jpeg", QUALITY);
  });
}

/** Upright, whatever the camera was. */
async function read(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file);
  } catch {
    throw unreadable();
  }
}

function unreadable(): Problem {
  return new Problem(
    { title: "This is no picture that can be shown", detail: "Choose a JPEG, a PNG or a WebP file." },
    422,
  );
}

/** For an `img` before anything is sent. */
export function asAddress(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(unreadable());
    reader.readAsDataURL(blob);
  });
}
